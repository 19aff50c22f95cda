"""The mixture in its two forms, and one of random experts."""

from collections.abc import Iterator
from contextlib import contextmanager

from hubexpert.baselines.random_group import random_group
from hubexpert.lm import Lm
from hubexpert.moe import adapter
from hubexpert.systems.form import Contest, Form, System, factors_of, learned, stored
from hubexpert.trained import mixture_start

ROUTED = "routed"


def static(model: Lm, contest: Contest) -> System:
    """`static`: the published files as plain PEFT reads them."""
    return _published(model, contest, "static", routed=False)


def routed(model: Lm, contest: Contest) -> System:
    """`routed`: the published files with their router."""
    return _published(model, contest, ROUTED, routed=True)


def _published(model: Lm, contest: Contest, name: str, *, routed: bool) -> System:
    build = contest.build

    @contextmanager
    def opened() -> Iterator[Form]:
        mixture = adapter.load(contest.folder, base=model.model, routed=routed)
        try:
            form = Lm(mixture, model.tokenizer)
            yield Form(form, mixture.disable_adapter, stored(mixture), build.rank, build.tuning)
        finally:
            mixture.unload()

    return System(name, opened, {"files": build.files})


def random_experts(model: Lm, contest: Contest) -> System | None:
    """`random-experts`: the same mixture of random adapters; None where the pool holds no other group.

    It is trained with the learning rate and the epochs that were chosen for the mixture.
    """
    lesson, tuning = contest.lesson, contest.build.tuning
    others = random_group(contest.pool, contest.experts, len(contest.experts), lesson.seed)

    @contextmanager
    def opened() -> Iterator[Form]:
        start = mixture_start(model, [factors_of(model, source) for source in others], lesson)
        with learned(model, start, lesson, "a mixture of random experts", others, tuning=tuning) as form:
            yield form

    if {*others} == {*contest.experts}:
        return None
    depends = {**contest.learned_from, "experts": list(others), "tuning": tuning}
    return System("random-experts", opened, depends, ", ".join(source.repo for source in others))
