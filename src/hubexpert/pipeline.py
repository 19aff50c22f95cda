"""The stages in order, each skipped while its inputs hold: discover, score, select, build, evaluate, lock and card."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubexpert import hub
from hubexpert.assemble import renew
from hubexpert.base import base_folder, folder_source, resolve_base
from hubexpert.discover import discover_step
from hubexpert.errors import HubExpertError
from hubexpert.lock import DEFAULT_LOCK, LOCK_VERSION, Lock, locked_discovery, locked_recipe, write_lock
from hubexpert.recipe import Recipe, is_folder, read_recipe
from hubexpert.records import (
    Build,
    Candidate,
    Discovery,
    Example,
    Measured,
    Rationales,
    Report,
    ScoreTable,
    Selection,
    Source,
    TokenShares,
)
from hubexpert.shots import Task, digest, read_task, without_leaks
from hubexpert.workspace import METHOD, WORKSPACE, Journal, Workspace, file_digest, fingerprint

if TYPE_CHECKING:
    from hubexpert.experts.engine import Engine
    from hubexpert.experts.ledger import Ledger
    from hubexpert.experts.score import Trial
    from hubexpert.factors import Factors
    from hubexpert.lm import Lm
    from hubexpert.systems import Contest
    from hubexpert.teacher import Teacher
    from hubexpert.trained import Lesson

CHECKPOINTS = "checkpoints"
LEAST_PART = 4  # shots of a fold


@dataclass(frozen=True, eq=False)
class Project:
    """One recipe with its workspace. What several stages need is found once: the base, the model, the scores.

    A part of a project has examples of its own, and a workspace of its own for what is made of them; the base, what
    discovery found, and what was scored and asked are the whole's.
    """

    path: Path
    recipe: Recipe
    workspace: Workspace
    quiet: bool
    refresh: bool
    engine: str
    workers: int | None
    processes: int
    whole: "Project | None" = None
    given: Task | None = None

    @property
    def folder(self) -> Path:
        """Where the recipe lies, and the example files are looked up."""
        return self.path.parent

    @property
    def lock_path(self) -> Path:
        """Where the lock lies: beside the recipe."""
        return self.folder / DEFAULT_LOCK

    @property
    def shared(self) -> Workspace:
        """The whole's workspace."""
        return self.whole.workspace if self.whole else self.workspace

    @cached_property
    def base(self) -> Source:
        """The base at its commit, which stays pinned until a refresh; a folder by its contents."""
        if self.whole:
            return self.whole.base
        return _pinned(self, "base", self.recipe.base)

    @property
    def base_place(self) -> Path | Source:
        """Where the base is loaded from."""
        return _place(self, self.base)

    @cached_property
    def model(self) -> "Lm":
        """The base, loaded."""
        if self.whole:
            return self.whole.model
        from hubexpert.lm import load_lm

        return load_lm(self.base_place, quantize=self.recipe.quantize)

    @cached_property
    def rationales(self) -> Rationales:
        """The shots with the teacher's rationales, as `rationales` gives them."""
        return rationales(self)

    @cached_property
    def scores(self) -> ScoreTable:
        """The scored pool, as `score` gives it."""
        return score(self)


def open_project(
    path: Path,
    *,
    quiet: bool = False,
    refresh: bool = False,
    engine: str = "local",
    workers: int | None = None,
    processes: int | None = 1,
) -> Project:
    """The project of the recipe at `path`.

    Args:
        path: the recipe.
        quiet: no progress.
        refresh: look up the base's head again instead of keeping the pinned commit.
        engine: where adapters are scored: `local`, or `ray` for a cluster.
        workers: how many of the cluster's; by default one a GPU.
        processes: how many train; None is one a GPU.

    Raises:
        HubExpertError: the recipe is missing or wrong, there are fewer GPUs than processes, or this is itself one of
            several processes that a launcher started.
    """
    _check_alone()
    recipe = read_recipe(path)
    if processes != 1:
        from hubexpert.spread import number_of_processes

        processes = number_of_processes(processes)
    hub.show_progress(not quiet)
    return Project(path, recipe, Workspace(path.parent / WORKSPACE), quiet, refresh, engine, workers, processes)


def _check_alone() -> None:
    started = os.environ.get("WORLD_SIZE", "1")
    if "RANK" in os.environ and started != "1":
        raise HubExpertError(
            f"hubexpert was started {started} times at once, by accelerate or torchrun, and would write over itself.",
            fix=f"start it once: hubexpert run --processes {started}",
        )


def _pinned(project: Project, step: str, name: str) -> Source:
    """A model at its commit, as that step found it last; a folder by its contents."""
    if is_folder(name):
        return folder_source(name, base_folder(project.folder, name))
    inputs = {"base": name, "endpoint": hub.endpoint()}
    return project.workspace.step(step, inputs, lambda: resolve_base(name), Source, again=project.refresh)[0]


def _place(project: Project, source: Source) -> Path | Source:
    """Where a pinned model is loaded from."""
    return base_folder(project.folder, source.repo) if is_folder(source.repo) else source


def task(project: Project) -> Task:
    """The recipe's task with its examples."""
    return project.given or read_task(project.recipe, project.folder)


def part(project: Project, name: str, shots: Sequence[Example], test: Sequence[Example], *, seed: int) -> Project:
    """The project on these examples alone."""
    given = Task(metric=project.recipe.task.metric, shots=tuple(shots), test=tuple(test))
    recipe = project.recipe.model_copy(update={"seed": seed})
    return replace(
        project, recipe=recipe, workspace=Workspace(project.workspace.root / name), whole=project, given=given
    )


def discover(project: Project, *, again: bool = False) -> Discovery:
    """What is out there for the base."""
    return discover_step(project.recipe, project.shared, again=again, quiet=project.quiet)[0]


def teacher(project: Project) -> "Teacher | None":
    """The recipe's teacher, if it names one."""
    settings, seed = project.recipe.data.teacher, project.recipe.seed
    if settings is None:
        return None
    from hubexpert.teacher import Teacher

    if not settings.local:
        return Teacher(settings, seed)
    from hubexpert.lm import load_lm

    source = _pinned(project, "teacher", settings.model)
    return Teacher(settings, seed, source, lambda: load_lm(_place(project, source)))


def rationales(project: Project) -> Rationales:
    """The shots with the rationales that the teacher could write; a refresh asks again for those that it did not.

    Raises:
        HubExpertError: the teacher cannot be asked, or leaves too many questions without a usable reply.
    """
    shots, asked = task(project).shots, teacher(project)
    if asked is None:
        return Rationales(shots=shots)

    def produce() -> Rationales:
        from hubexpert.experts.rationales import with_rationales

        return with_rationales(shots, asked, project.shared.journal("teacher"), quiet=project.quiet)

    inputs = {"method": METHOD, "teacher": asked.identity, "shots": list(shots)}
    return project.workspace.step("rationales", inputs, produce, Rationales, again=project.refresh)[0]


def score(project: Project) -> ScoreTable:
    """The accepted adapters' scores on the shots.

    Raises:
        HubExpertError: no adapter was accepted, or none could be scored.
    """
    work, base = task(project), project.base  # a wrong file or base is told before anything else is asked for
    accepted = sorted(discover(project).accepted, key=lambda c: c.source.repo)
    if not accepted:
        raise HubExpertError(
            f"No usable adapter was found for {project.recipe.base}.",
            fix="see `hubexpert discover`, then widen `discover.licenses` or name adapters in `discover.include`",
        )
    work = work.model_copy(update={"shots": project.rationales.shots})
    section = project.recipe.experts
    inputs = {
        "method": METHOD,
        "base": base,
        "quantize": project.recipe.quantize,
        "accepted": [c.source for c in accepted],
        "shots": list(work.shots),
        "metric": work.metric,
        "test": list(work.test),
        "datasets": list(project.recipe.task.datasets),
        "budget": section if section.budget == "halving" or "adapted" in section.rank else "full",
        "seed": project.recipe.seed,
    }

    def produce() -> ScoreTable:
        from hubexpert.experts.cards import cards
        from hubexpert.experts.ledger import open_ledger
        from hubexpert.experts.prior import prior
        from hubexpert.experts.score import context, score_pool, trial
        from hubexpert.measure import check_metric

        check_metric(work.metric, (*work.shots, *work.test))
        engine, tokenizer = _engine(project)
        asked = trial(base, work, tokenizer, section, project.recipe.seed)
        ledger = open_ledger(project.shared.journal("scores"), context(asked, engine))
        told = cards([c.source for c in accepted])
        named = project.recipe.task
        order = prior(accepted, told, name=named.name, instruction=named.instruction, shots=work.shots)
        table = score_pool(engine, asked, [accepted[i].source for i in order], ledger, quiet=project.quiet)
        return _flagged(project, table, accepted, asked, ledger)

    def final(table: ScoreTable) -> bool:
        return not any(refused.code.startswith("download-") for refused in table.refused)

    return project.workspace.step("scores", inputs, produce, ScoreTable, keep=final)[0]


def _flagged(
    project: Project, table: ScoreTable, accepted: Sequence[Candidate], asked: "Trial", ledger: "Ledger"
) -> ScoreTable:
    """The table with what speaks against its scores. On a cluster adapters are not looked at on the base again."""
    from hubexpert.experts.guards import flags
    from hubexpert.experts.holdings import MOST_ROWS, dataset_rows, holdings
    from hubexpert.experts.load import adapter_factors
    from hubexpert.slots import applied

    test = task(project).test
    readable = not hub.offline() and hub.can_read_rows()
    datasets = discover(project).datasets if readable else ()
    known = {s.source.repo: ledger.answers(s.source, asked.shots[: s.n]) for s in table.scores}
    found = flags(
        lambda: project.model,
        lambda source: applied(project.model.model, adapter_factors(source, lambda: project.model.model)),
        [c for c in accepted if c.source.repo in known],
        table.scores,
        {repo: answers.nlls for repo, answers in known.items() if answers},
        asked.shots,
        test,
        holdings(datasets, asked.shots, test, lambda dataset: dataset_rows(dataset, MOST_ROWS)),
        project.recipe.task,
        most=0 if project.engine == "ray" else project.recipe.experts.candidates,
        seed=asked.seed,
        quiet=project.quiet,
    )
    scores = tuple(s.model_copy(update={"flags": found.get(s.source.repo, ())}) for s in table.scores)
    return table.model_copy(update={"scores": scores})


def _engine(project: Project) -> tuple["Engine", Any]:
    """Where adapters are measured, and the base's tokenizer."""
    quantize, gigabytes = project.recipe.quantize, project.recipe.experts.disk
    disk = None if gigabytes is None else int(gigabytes * 1e9)
    if project.engine == "ray":
        from hubexpert.experts.cluster import on_cluster
        from hubexpert.lm import load_tokenizer

        base = project.base_place
        engine = on_cluster(base, project.base, quantize=quantize, disk=disk, workers=project.workers)
        return engine, load_tokenizer(base)
    from hubexpert.experts.engine import on_this_machine

    return on_this_machine(project.model, project.base, quantize=quantize, disk=disk), project.model.tokenizer


def select(project: Project) -> Selection:
    """The experts chosen from the scored pool."""
    table = project.scores
    section = project.recipe.experts

    def similarity_of(sources: Sequence[Source]) -> list[list[float]]:
        from hubexpert.experts.load import adapter_factors
        from hubexpert.experts.similarity import similarity_matrix

        def load(source: Source) -> "Factors":
            return adapter_factors(source, lambda: project.model.model)

        rows: list[list[float]] = similarity_matrix(sources, load, quiet=project.quiet).tolist()
        return rows

    def produce() -> Selection:
        from hubexpert.experts.select import select as choose

        left = [s for s in table.scores if not {flag.partition(":")[0] for flag in s.flags} & set(section.without)]
        if not left:
            raise HubExpertError(
                f"All {len(table.scores)} scored adapters have a flag that `experts.without` leaves out.",
                fix="see `hubexpert score`, then shorten `experts.without` in the recipe",
            )
        return choose(left, similarity_of, candidates=section.candidates, count=section.count, by=section.rank)

    inputs = {"method": METHOD, "scores": table, "experts": section}
    return project.workspace.step("selection", inputs, produce, Selection)[0]


def build(project: Project) -> Build:
    """The trained mixture; its files lie in the workspace folder `build`."""
    selection = select(project)
    work = task(project)
    inputs = {
        "base": project.base,
        "quantize": project.recipe.quantize,
        "method": METHOD,
        "experts": list(selection.chosen),
        "shots": list(work.shots),
        "train": project.recipe.train,
        "seed": project.recipe.seed,
    }
    checkpoints = project.workspace.root / CHECKPOINTS / fingerprint(inputs)[:16]

    def produce() -> Build:
        from hubexpert.build import build_mixture

        made: list[Build] = []

        def fill(folder: Path) -> None:
            lesson = _lesson(project, checkpoints)
            made.append(build_mixture(project.model, project.base, selection.chosen, lesson, folder))

        project.workspace.replace_folder("build", fill)
        return made[0]

    result, made_now = project.workspace.step("build", inputs, produce, Build)
    if not made_now and not _whole(project.workspace.root / "build", result):
        result, _ = project.workspace.step("build", inputs, produce, Build, again=True)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return result


def _lesson(project: Project, checkpoints: Path) -> "Lesson":
    """What everything is trained on and how."""
    from hubexpert.lm import BASE_FILES
    from hubexpert.spread import Workers
    from hubexpert.trained import Lesson

    workers = None
    if project.processes > 1:
        place = project.base_place
        folder = place if isinstance(place, Path) else hub.snapshot(place, BASE_FILES)
        workers = Workers(project.processes, folder.resolve(), project.recipe.quantize)
    read_by = fingerprint([project.base, project.recipe.quantize])[:16]  # another base learns otherwise
    journal = project.workspace.journal(f"tuning-{read_by}")
    shots, section = task(project).shots, project.recipe.train
    return Lesson(shots, section, project.recipe.seed, journal, checkpoints, project.quiet, workers)


def _whole(folder: Path, made: Build) -> bool:
    """Whether the folder holds just the files that the record describes."""
    return all((folder / name).is_file() and file_digest(folder / name) == d for name, d in made.files.items())


def evaluate(project: Project) -> Report:
    """The comparison on the held-out examples.

    Without held-out examples it is made by cross-validation on the shots, and says so.

    Raises:
        HubExpertError: all held-out examples stand among the shots, or there are none and too few shots.
    """
    test, removed = _held_out(project)
    made, work = build(project), task(project)
    inputs = {
        "method": METHOD,
        "base": project.base,
        "quantize": project.recipe.quantize,
        "build": made,
        "pool": [selected.source for selected in select(project).pool],
        "removed": removed,
        "shots": list(work.shots),
        "test": list(test),
        "metric": work.metric,
        "train": project.recipe.train,
        "evaluate": project.recipe.evaluate,
        "seed": project.recipe.seed,
    }

    def produce() -> Report:
        from hubexpert.evaluate import compare

        if not test:
            return _cross_validated(project)
        return compare(project.model, contest(project), _evaluation(project), removed=removed)

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
        return measure_all(project.model, contest(piece), _evaluation(piece))

    results = cross_validate(work.shots, measure, repeats=section.repeats, parts=section.folds, seed=seed)
    return report(results, {}, work.shots, work.shots, work.metric, seed=seed, protocol="cross-validation")


def _evaluation(project: Project) -> Journal:
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


def spoken(project: Project, count: int) -> tuple[tuple[TokenShares, ...], list[str]]:
    """Which expert spoke where in the answers to the first held-out examples (else shots), and the experts' names."""
    from hubexpert.examine import answer_length
    from hubexpert.moe.spoken import spoken as listen
    from hubexpert.systems.mixtures import routed

    made = contest(project)
    rows = (made.test or made.lesson.shots)[:count]
    with routed(project.model, made).open() as form:
        longest = answer_length(project.model.tokenizer, made.lesson.shots)
        return listen(form.model, rows, max_new_tokens=longest), [source.repo for source in made.experts]


def contest(project: Project) -> "Contest":
    """What `evaluate` compares, and on what: the built mixture, the scored pool, the held-out rows."""
    from hubexpert.systems import Contest

    made, test = build(project), _held_out(project)[0]
    return Contest(
        base=project.base,
        build=made,
        folder=project.workspace.root / "build",
        pool=tuple(selected.source for selected in select(project).pool),
        test=test,
        metric=task(project).metric,
        lesson=_lesson(project, project.workspace.root / CHECKPOINTS / fingerprint(made)[:16]),
        section=project.recipe.evaluate,
    )


def _held_out(project: Project) -> tuple[tuple[Example, ...], int]:
    """The held-out examples which do not stand among the shots, and how many did; none where none are named."""
    work, section = task(project), project.recipe.evaluate
    if not work.test and len(work.shots) < LEAST_PART * section.folds:
        raise HubExpertError(
            f"The recipe names no held-out examples, and {len(work.shots)} shots are too few for a cross-validation.",
            fix="add `task.test: FILE` to the recipe, with at least 100 examples which are not among the shots",
        )
    test, removed = without_leaks(work.shots, work.test)
    if work.test and not test:
        raise HubExpertError("Every held-out example stands among the shots.", fix="name other examples in `task.test`")
    return test, removed


def lock(project: Project) -> Lock:
    """The lock of a finished run, written beside the recipe."""
    report = evaluate(project)
    work = task(project)
    made = Lock(
        version=LOCK_VERSION,
        recipe=locked_recipe(project.recipe),
        base=project.base,
        discovery=locked_discovery(discover(project)),
        scores=project.scores,
        selection=select(project),
        build=build(project),
        report=report,
        digests={"shots": digest(work.shots), "test": digest(work.test)},
    )
    write_lock(project.lock_path, made)
    return made


def run(project: Project) -> Lock:
    """All stages up to the card; only what changed, as far as the Hub was last asked (a refresh asks again)."""
    with project.workspace.locked():
        _held_out(project)  # what cannot be proved in the end is told at the start
        discover(project, again=project.refresh)
        made = lock(project)
        renew(made, project.workspace, repo=project.recipe.publish.repo)
        return made
