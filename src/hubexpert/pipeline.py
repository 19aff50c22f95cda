"""The stages in order, each skipped while its inputs hold: discover, score, select, build, evaluate, lock and card."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from hubexpert import __version__, hub
from hubexpert.discover import discover_step
from hubexpert.discover.aliases import resolve_alias
from hubexpert.errors import HubExpertError
from hubexpert.lock import DEFAULT_LOCK, LOCK_VERSION, Lock, write_lock
from hubexpert.recipe import Recipe, read_recipe
from hubexpert.records import Build, Candidate, Discovery, Report, ScoreTable, Selection, Source
from hubexpert.shots import Task, digest, read_task, without_leaks
from hubexpert.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from hubexpert.lm import Lm

PACKAGES = ("huggingface-hub", "peft", "safetensors", "torch", "transformers")


@dataclass(frozen=True)
class Project:
    """One recipe with its workspace; `base` and `model` are resolved and loaded on first use, once."""

    folder: Path
    recipe: Recipe
    workspace: Workspace
    base: Callable[[], Source]
    model: "Callable[[], Lm]"
    quiet: bool

    @property
    def lock_path(self) -> Path:
        """Where the lock lies: beside the recipe."""
        return self.folder / DEFAULT_LOCK


def open_project(path: Path, *, quiet: bool = False, refresh: bool = False) -> Project:
    """The project of the recipe at `path`.

    Args:
        path: the recipe.
        quiet: no progress.
        refresh: look up the base's head again instead of keeping the pinned commit.

    Raises:
        HubExpertError: the recipe is missing or wrong.
    """
    recipe = read_recipe(path)
    hub.show_progress(not quiet)
    workspace = Workspace(path.parent / ".hubexpert")

    @cache
    def base() -> Source:
        inputs = {"base": recipe.base, "endpoint": hub.endpoint()}
        return workspace.step("base", inputs, lambda: resolve_base(recipe.base), Source, again=refresh)[0]

    @cache
    def model() -> "Lm":
        from hubexpert.lm import load_lm

        return load_lm(Path(recipe.base) if Path(recipe.base).is_dir() else base())

    return Project(path.parent, recipe, workspace, base, model, quiet)


def resolve_base(name: str) -> Source:
    """The base at a commit: a folder, an alias, or a Hub id with an optional @revision.

    Raises:
        HubExpertError: there is no such base.
    """
    folder = Path(name)
    if folder.is_dir():
        parts = sorted(p for p in folder.iterdir() if p.suffix in (".json", ".safetensors"))
        total = hashlib.sha1(usedforsecurity=False)
        for part in parts:
            with part.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        return Source(repo=name, revision=total.hexdigest())
    repo, _, revision = resolve_alias(name).partition("@")
    return hub.resolve(repo, revision=revision or None)


def task(project: Project) -> Task:
    """The recipe's task with its examples."""
    return read_task(project.recipe, project.folder)


def discover(project: Project, *, again: bool = False) -> Discovery:
    """What is out there for the base."""
    return discover_step(project.recipe, project.workspace, again=again, quiet=project.quiet)[0]


def score(project: Project) -> ScoreTable:
    """The accepted adapters' scores on the shots.

    Raises:
        HubExpertError: no adapter was accepted, or none could be scored.
    """
    work, base = task(project), project.base()  # a wrong file or base is told before anything else is asked for
    accepted = discover(project).accepted
    if not accepted:
        raise HubExpertError(
            f"No usable adapter was found for {project.recipe.base}.",
            fix="see `hubexpert discover`, then widen `discover.licenses` or name adapters in `discover.include`",
        )
    inputs = {
        "base": base,
        "accepted": [c.source for c in accepted],
        "shots": list(work.shots),
        "metric": work.metric,
        "seed": project.recipe.seed,
    }

    def produce() -> ScoreTable:
        from hubexpert.experts.score import score_pool

        journal = project.workspace.journal("scores")
        return score_pool(
            project.model(),
            base,
            accepted,
            work.shots,
            work.metric,
            journal,
            seed=project.recipe.seed,
            quiet=project.quiet,
        )

    return project.workspace.step("scores", inputs, produce, ScoreTable)[0]


def select(project: Project) -> Selection:
    """The experts chosen from the scored pool."""
    table = score(project)
    section = project.recipe.experts

    def similarity_of(sources: Sequence[Source]) -> list[list[float]]:
        from hubexpert.build import adapter_factors
        from hubexpert.experts.similarity import similarity_matrix

        rows: list[list[float]] = similarity_matrix([adapter_factors(c) for c in candidates(project, sources)]).tolist()
        return rows

    def produce() -> Selection:
        from hubexpert.experts.select import select as choose

        return choose(table.scores, similarity_of, candidates=section.candidates, count=section.count, by=section.rank)

    return project.workspace.step("selection", {"scores": table, "experts": section}, produce, Selection)[0]


def candidates(project: Project, sources: Sequence[Source]) -> list[Candidate]:
    """The candidates of these sources, in their order."""
    found = {candidate.source: candidate for candidate in discover(project).candidates}
    return [found[source] for source in sources]


def build(project: Project) -> Build:
    """The trained mixture; its files lie in the workspace folder `build`."""
    selection = select(project)
    work = task(project)
    inputs = {
        "base": project.base(),
        "experts": list(selection.chosen),
        "shots": list(work.shots),
        "train": project.recipe.train,
        "seed": project.recipe.seed,
    }
    checkpoints = project.workspace.root / "checkpoints" / fingerprint(inputs)[:16]

    def produce() -> Build:
        from hubexpert.build import build_mixture

        made: list[Build] = []

        def fill(folder: Path) -> None:
            experts = candidates(project, selection.chosen)
            section, seed = project.recipe.train, project.recipe.seed
            made.append(
                build_mixture(
                    project.model(),
                    project.base(),
                    experts,
                    work.shots,
                    section,
                    folder,
                    checkpoints,
                    seed=seed,
                    quiet=project.quiet,
                )
            )

        project.workspace.replace_folder("build", fill)
        return made[0]

    result = project.workspace.step("build", inputs, produce, Build)[0]
    shutil.rmtree(checkpoints, ignore_errors=True)
    return result


def evaluate(project: Project) -> Report:
    """The comparison on the held-out examples.

    Raises:
        HubExpertError: the recipe names no held-out examples, or all of them stand among the shots.
    """
    work = task(project)
    if not work.test:
        raise HubExpertError(
            "The recipe names no held-out examples, so nothing can be proved.",
            fix="add `task.test: FILE` to the recipe, with at least 100 examples which are not among the shots",
        )
    test, removed = without_leaks(work.shots, work.test)
    if not test:
        raise HubExpertError("Every held-out example stands among the shots.", fix="name other examples in `task.test`")
    made, selection = build(project), select(project)
    best = candidates(project, [selection.pool[0].source])[0]
    inputs = {
        "base": project.base(),
        "build": made,
        "best": best.source,
        "shots": list(work.shots),
        "test": list(test),
        "metric": work.metric,
        "train": project.recipe.train,
        "seed": project.recipe.seed,
    }
    checkpoints = project.workspace.root / "checkpoints" / fingerprint(inputs)[:16]

    def produce() -> Report:
        from hubexpert.evaluate import Contest, compare

        folder = project.workspace.root / "build"
        contest = Contest(made, folder, best, work.shots, test, work.metric, project.recipe.train, project.recipe.seed)
        journal = project.workspace.journal("evaluation")
        return compare(project.model(), contest, journal, checkpoints, removed=removed, quiet=project.quiet)

    result = project.workspace.step("report", inputs, produce, Report)[0]
    shutil.rmtree(checkpoints, ignore_errors=True)
    return result


def lock(project: Project) -> Lock:
    """The lock of a finished run, written beside the recipe."""
    report = evaluate(project)
    work = task(project)
    made = Lock(
        version=LOCK_VERSION,
        recipe=project.recipe.model_dump(mode="json"),
        base=project.base(),
        discovery=discover(project),
        scores=score(project),
        selection=select(project),
        build=build(project),
        report=report,
        digests={"shots": digest(work.shots), "test": digest(work.test)},
        packages={"hubexpert": __version__, **{name: version(name) for name in PACKAGES}},
    )
    write_lock(project.lock_path, made)
    return made


def card(project: Project, made: Lock) -> Path:
    """The folder to publish: the build's files, the lock, the card and its figures."""
    from hubexpert.assemble import assemble

    built = project.workspace.root / "build"
    return project.workspace.replace_folder(
        "publish", lambda folder: assemble(made, built, folder, repo=project.recipe.publish.repo)
    )


def run(project: Project, *, refresh: bool = False) -> Lock:
    """All stages up to the card; only what changed, as far as the Hub was last asked (`refresh` asks again)."""
    with project.workspace.locked():
        discover(project, again=refresh)
        made = lock(project)
        card(project, made)
        return made
