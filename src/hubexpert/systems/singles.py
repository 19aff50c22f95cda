"""Single adapters trained on the same shots in the same way as the mixture: what is cheaper and may be as good."""

from collections.abc import Iterator
from contextlib import contextmanager

from hubexpert.lm import Lm
from hubexpert.systems.form import Contest, Form, System, factors_of, learned
from hubexpert.trained import fresh_start, mixture_wide, single_start


def best_single_tuned(model: Lm, contest: Contest) -> System:
    """`best-single-tuned`: the adapter with the best place by K-shot, trained further."""
    best = contest.pool[0]

    @contextmanager
    def opened() -> Iterator[Form]:
        start = single_start(factors_of(model, best))
        with learned(model, start, contest.lesson, "the best single expert", ["single", best]) as form:
            yield form

    return System("best-single-tuned", opened, {**contest.learned_from, "adapter": best}, best.repo)


def fresh_lora(model: Lm, contest: Contest) -> System:
    """`fresh-lora`: a new LoRA on the mixture's modules, with as many parameters as its wide LoRA."""
    lesson = contest.lesson

    @contextmanager
    def opened() -> Iterator[Form]:
        wide = mixture_wide(model, [factors_of(model, source) for source in contest.experts], lesson)
        start = fresh_start(model, wide, seed=lesson.seed)
        with learned(model, start, lesson, "a fresh LoRA", ["fresh", start.wide.rank, sorted(start.wide.a)]) as form:
            yield form

    depends = {**contest.learned_from, "experts": list(contest.experts)}
    return System("fresh-lora", opened, depends, "as large as the mixture without padding and router")
