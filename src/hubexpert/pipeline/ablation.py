"""What each way to choose data adds: the same mixture trained on each, measured on the same held-out rows."""

from dataclasses import replace
from statistics import fmean
from typing import Any

from hubexpert.errors import HubExpertError
from hubexpert.pipeline.mixture import contest
from hubexpert.pipeline.project import Project, task
from hubexpert.pipeline.proof import evaluation
from hubexpert.recipe import DataSection
from hubexpert.records import AblationRow, Data, Difference
from hubexpert.workspace import Workspace

SHOTS, SELECT, RANDOM, BEACONS = "the shots alone", "select", "random", "and beacons"


def ablation(project: Project, *, briefly: bool = False) -> tuple[AblationRow, ...]:
    """A row for each way: no rows, random ones, select with and without dropping duplicates, rebase, beacons on top.

    The mixture's experts, learning rate and epochs are those of the recipe. Random rows are as many as select keeps.
    Differences are from the shots alone and from random rows, paired.

    Args:
        project: its recipe's `data` says how many rows, of which datasets.
        briefly: only the shots alone, selected rows and random ones.

    Raises:
        HubExpertError: there are no held-out examples, or no rows.
    """
    from hubexpert.evaluate import measured
    from hubexpert.statistics import bootstrap, paired
    from hubexpert.systems.trained_on import trained_on

    if not task(project).test:  # before anything is trained
        raise HubExpertError("An ablation needs held-out examples.", fix="name them in `task.test`")
    arena, journal = contest(project), evaluation(project)
    found: dict[str, tuple[Data, tuple[float, ...]]] = {}
    ways = _ways(project.recipe.data)
    for name, section in list(ways.items())[: 3 if briefly else None]:
        if name == RANDOM:
            kept = sum(each.origin is not None for each in found[SELECT][0].examples)
            section = section.model_copy(update={"rows": kept})
        made = _with(project, name, section).data
        system = trained_on(project.model, arena, name, made.examples)
        found[name] = made, measured(project.model, arena, system, journal).values
    seed = project.recipe.seed
    rows = []
    for name, (made, values) in found.items():
        low, high = bootstrap(values, seed=seed)
        against = []
        for other in (SHOTS, RANDOM):
            if other != name:
                more, least, most = paired(values, found[other][1], seed=seed)
                against.append(Difference(first=name, second=other, value=more, low=least, high=most))
        told = {"name": name, "examples": len(made.examples), "n": len(values), "metric": arena.metric}
        rows.append(AblationRow(**told, value=fmean(values), low=low, high=high, differences=tuple(against)))
    return tuple(rows)


def _ways(section: DataSection) -> dict[str, DataSection]:
    """The recipe's data section with other methods, in the order in which they are measured."""
    kard = tuple(method for method in section.methods if method == "kard")  # how the shots are learned, in every row
    changed: dict[str, dict[str, Any]] = {
        SHOTS: {"methods": kard},
        SELECT: {"methods": (*kard, "select")},
        RANDOM: {"methods": (*kard, "random")},
        "select, with duplicates": {"methods": (*kard, "select"), "similarity": 1.0},
    }
    if section.teacher:
        changed["rebase"] = {"methods": (*kard, "rebase")}
    own = tuple(method for method in section.methods if method in ("select", "rebase")) or ("select",)
    changed[f"{' and '.join(own)} {BEACONS}"] = {"methods": (*kard, *own, "beacons")}
    return {name: section.model_copy(update=change) for name, change in changed.items()}


def _with(project: Project, name: str, section: DataSection) -> Project:
    """The project with another data section, in a workspace of its own."""
    recipe = project.recipe.model_copy(update={"data": section})
    workspace = Workspace(project.workspace.root / "ablation" / name.replace(" ", "-").replace(",", ""))
    return replace(project, recipe=recipe, workspace=workspace, whole=project, given=task(project))
