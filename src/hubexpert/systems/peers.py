"""Other ways to mix the same experts, on request."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hubexpert.baselines.arrow import arrow
from hubexpert.baselines.lorahub import lorahub, searcher, weighted
from hubexpert.baselines.x_lora import x_lora
from hubexpert.lm import Lm
from hubexpert.recipe import Peer
from hubexpert.systems.form import Contest, Form, System, factors_of, stored
from hubexpert.systems.untrained import on_base
from hubexpert.trained import single_start


def check_peers(names: Sequence[Peer]) -> None:
    """See that all of them can be had here.

    Raises:
        HubExpertError: a library that one needs is not installed.
    """
    if "lorahub" in names:
        searcher()


def peer(model: Lm, contest: Contest, name: Peer) -> System:
    """The system of that name."""
    made: dict[Peer, Callable[[Lm, Contest], System]] = {"lorahub": _lorahub, "arrow": _arrow, "x-lora": _x_lora}
    return made[name](model, contest)


def _lorahub(model: Lm, contest: Contest) -> System:
    lesson = contest.lesson

    @contextmanager
    def opened() -> Iterator[Form]:
        factors = [factors_of(model, source) for source in contest.experts]
        weights = lorahub(model, factors, lesson.questions, seed=lesson.seed)
        with on_base(model, single_start(weighted(factors, weights))) as form:
            yield form

    depends = {"shots": list(lesson.questions), "seed": lesson.seed, "experts": list(contest.experts)}
    return System("lorahub", opened, depends, "static weights by 40 evaluations of a gradient-free search")


def _arrow(model: Lm, contest: Contest) -> System:
    @contextmanager
    def opened() -> Iterator[Form]:
        factors = [factors_of(model, source) for source in contest.experts]
        with arrow(model, factors, seed=contest.lesson.seed) as form:
            yield Form(form, form.model.disable_adapter, stored(form.model), max(each.rank for each in factors))

    depends = {"seed": contest.lesson.seed, "experts": list(contest.experts)}
    return System("arrow", opened, depends, "PEFT's, nothing trained")


def _x_lora(model: Lm, contest: Contest) -> System:
    lesson, tuning = contest.lesson, contest.build.tuning
    once = {"learning_rate": (tuning.learning_rate,), "epochs": tuning.epochs, "folds": 0}
    section = lesson.section.model_copy(update=once)

    @contextmanager
    def opened() -> Iterator[Form]:
        factors = [factors_of(model, source) for source in contest.experts]
        with x_lora(model, factors, lesson.shots, section, seed=lesson.seed, quiet=lesson.quiet) as form:
            yield Form(form, form.model.disable_adapter, stored(form.model), max(each.rank for each in factors))

    depends = {**contest.learned_from, "section": section, "experts": list(contest.experts)}
    return System("x-lora", opened, depends, "PEFT's, its router trained as the mixture's")
