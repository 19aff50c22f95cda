"""The proof: the comparison on held-out examples, on the shots by cross-validation, on several draws of them."""

import shutil

from hubexpert.errors import HubExpertError
from hubexpert.pipeline.kard import asked
from hubexpert.pipeline.mixture import CHECKPOINTS, build, contest
from hubexpert.pipeline.pool import select
from hubexpert.pipeline.project import Project, held_out, part, task
from hubexpert.records import Example, Measured, Report
from hubexpert.shots import read_task
from hubexpert.workspace import METHOD, Journal


def evaluate(project: Project) -> Report:
    """The comparison on the held-out examples.

    Without held-out examples it is made by cross-validation on the shots, and says so.

    Raises:
        HubExpertError: all held-out examples stand among the shots, or there are none and too few shots.
    """
    test, removed = held_out(project)
    made, work = build(project), task(project)
    inputs = {
        "method": METHOD,
        "base": project.base,
        "quantize": project.recipe.quantize,
        "build": made,
        "pool": [selected.source for selected in select(project).pool],
        "removed": removed,
        "shots": list(work.shots),
        "test": list(asked(project, test)),
        "metric": work.metric,
        "train": project.recipe.train,
        "evaluate": project.recipe.evaluate,
        "seed": project.recipe.seed,
    }

    def produce() -> Report:
        from hubexpert.evaluate import compare
        from hubexpert.systems import check_peers

        check_peers(project.recipe.evaluate.peers)
        if not test:
            return _cross_validated(project)
        return compare(project.model, contest(project), evaluation(project), removed=removed)

    result = project.workspace.step("report", inputs, produce, Report)[0]
    shutil.rmtree(project.workspace.root / CHECKPOINTS, ignore_errors=True)  # those of abandoned recipes, too
    return result


def _cross_validated(project: Project) -> Report:
    """The comparison on the shots: each part by systems that were chosen, tuned and trained on the other parts."""
    from hubexpert.crossval import cross_validate
    from hubexpert.evaluate import measure_all, report

    work, section, seed = task(project), project.recipe.evaluate, project.recipe.seed

    def measure(name: str, shots: tuple[Example, ...], held_out: tuple[Example, ...]) -> dict[str, Measured]:
        piece = part(project, f"folds/{name}", shots, held_out, seed=seed)
        return measure_all(project.model, contest(piece), evaluation(piece))

    results = cross_validate(work.shots, measure, repeats=section.repeats, parts=section.folds, seed=seed)
    return report(results, {}, work.shots, work.shots, work.metric, seed=seed, protocol="cross-validation")


def evaluation(project: Project) -> Journal:
    """Where measured systems lie; a quantised base answers otherwise."""
    return project.workspace.journal("-".join(filter(None, ("evaluation", project.recipe.quantize))))


def draws(project: Project, count: int) -> list[Report]:
    """The comparison on several draws of the shots, each by a line of its own on the same held-out examples.

    Raises:
        HubExpertError: the recipe draws no shots, or names no held-out examples.
    """
    section = project.recipe.task
    if section.draw is None or section.test is None:
        raise HubExpertError(
            "Several draws need more labelled examples than one draw has, and held-out examples.",
            fix="set `task.draw` to how many of the file's examples are one draw's shots, and `task.test`",
        )
    seeds = [project.recipe.seed + number for number in range(count)]
    found = [read_task(project.recipe.model_copy(update={"seed": seed}), project.folder) for seed in seeds]
    return [
        evaluate(part(project, f"draws/{seed}", work.shots, work.test, seed=seed))
        for seed, work in zip(seeds, found, strict=True)
    ]
