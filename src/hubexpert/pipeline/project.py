"""A project: one recipe with its workspace, and its examples."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hubexpert import hub
from hubexpert.base import base_folder, folder_source, resolve_base
from hubexpert.errors import HubExpertError
from hubexpert.lock import DEFAULT_LOCK
from hubexpert.recipe import Recipe, is_folder, read_recipe
from hubexpert.records import Data, Example, Rationales, ScoreTable, Source
from hubexpert.shots import Task, read_task, without_leaks
from hubexpert.workspace import WORKSPACE, Workspace

if TYPE_CHECKING:
    from hubexpert.knowledge import Index
    from hubexpert.lm import Lm
    from hubexpert.retrieval import Retriever

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
        return pinned(self, "base", self.recipe.base)

    @property
    def base_place(self) -> Path | Source:
        """Where the base is loaded from."""
        return place(self, self.base)

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
        from hubexpert.pipeline.pool import rationales

        return rationales(self)

    @cached_property
    def scores(self) -> ScoreTable:
        """The scored pool, as `score` gives it."""
        from hubexpert.pipeline.pool import score

        return score(self)

    @cached_property
    def knowledge(self) -> "Index":
        """The passages of the recipe's knowledge, as `kard.index` gives them."""
        if self.whole:
            return self.whole.knowledge
        from hubexpert.pipeline.kard import index

        return index(self)

    @cached_property
    def retriever(self) -> "Retriever":
        """What finds the passages of a question, as `kard.retriever` gives it."""
        from hubexpert.pipeline.kard import retriever

        return retriever(self)

    @cached_property
    def data(self) -> Data:
        """What is trained on, as `data` gives it."""
        from hubexpert.pipeline.data import data

        return data(self)


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


def pinned(project: Project, step: str, name: str) -> Source:
    """A model at its commit, as that step found it last; a folder by its contents."""
    if is_folder(name):
        return folder_source(name, base_folder(project.folder, name))
    inputs = {"base": name, "endpoint": hub.endpoint()}
    return project.workspace.step(step, inputs, lambda: resolve_base(name), Source, again=project.refresh)[0]


def place(project: Project, source: Source) -> Path | Source:
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


def held_out(project: Project) -> tuple[tuple[Example, ...], int]:
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
