"""Mixtures that differ from the main one in one thing, at its learning rate and epochs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hubexpert import pipeline
from hubexpert.lm import Lm
from hubexpert.pipeline import Project
from hubexpert.records import Source
from hubexpert.systems import Contest, Form, System
from hubexpert.systems.form import factors_of, learned
from hubexpert.trained import mixture_start
from hubexpert.workspace import Workspace

Choice = Literal["algorithm 1", "best ranks", "adapted"]


@dataclass(frozen=True)
class Variant:
    """What is different: settings of `train`, or how the experts are chosen."""

    train: dict[str, Any] = field(default_factory=dict)
    choice: Choice = "algorithm 1"


VARIANTS = {
    "initial: prototypes": Variant({"initial": "prototypes"}),
    "initial: shots": Variant({"initial": "shots"}),
    "top-1": Variant({"top_k": 1}),
    "top-4 (all)": Variant({"top_k": 4}),
    "experts frozen": Variant({"train": ("router",)}),
    "routers frozen": Variant({"train": ("experts",)}),
    "no shared expert": Variant({"shared_rank": 0}),
    "without diversity": Variant(choice="best ranks"),
    "by adapted perplexity": Variant(choice="adapted"),
    "expert dropout": Variant({"dropout": 0.25}),
    "balanced": Variant({"balance": 0.01}),
    "routers 10 x": Variant({"router_rate": 10.0}),
    "initial: shots; routers 30 x": Variant({"initial": "shots", "router_rate": 30.0}),
}


def system(model: Lm, contest: Contest, name: str, experts: tuple[Source, ...]) -> System:
    """The variant as a system, routed."""
    section = contest.lesson.section.model_copy(update=VARIANTS[name].train)
    lesson = replace(contest.lesson, section=section, checkpoints=contest.lesson.checkpoints / "variant")
    tuning = contest.build.tuning

    @contextmanager
    def opened() -> Iterator[Form]:
        start = mixture_start(model, [factors_of(model, source) for source in experts], lesson)
        with learned(model, start, lesson, name, ["variant", name], tuning=tuning) as form:
            yield form

    depends = {"examples": list(lesson.examples), "section": section, "seed": lesson.seed, "experts": list(experts)}
    note = "" if experts == contest.experts else ", ".join(source.repo for source in experts)
    return System(name, opened, {**depends, "tuning": tuning}, note)


def chosen(project: Project, choice: Choice, experts: tuple[Source, ...]) -> tuple[Source, ...]:
    """The experts by another choice: the best sums of ranks, however alike; or by adapted perplexity alone."""
    if choice == "algorithm 1":
        return experts
    if choice == "best ranks":
        return tuple(selected.source for selected in pipeline.select(project).pool[: len(experts)])
    section = project.recipe.experts.model_copy(update={"rank": ("adapted",)})
    recipe = project.recipe.model_copy(update={"experts": section})
    workspace = Workspace(project.workspace.root / "adapted")
    return pipeline.select(replace(project, recipe=recipe, workspace=workspace, whole=project)).chosen
