"""Systems that nothing is trained for: the commonest answer, the base, the base with the shots, an adapter as it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from hubexpert.baselines import majority
from hubexpert.baselines.in_context import shots_that_fit
from hubexpert.examine import answer_length
from hubexpert.lm import Lm
from hubexpert.moe.adapter import attach
from hubexpert.start import Start
from hubexpert.systems.form import Contest, Form, System, factors_of, stored
from hubexpert.trained import single_start


def commonest(model: Lm, contest: Contest) -> System | None:
    """`majority`: the shots' commonest output every time; None where there is none."""
    values = majority.majority(contest.lesson.questions, contest.test, contest.metric)

    @contextmanager
    def opened() -> Iterator[Form]:
        yield Form(model, values=tuple(values or ()))

    return System("majority", opened, {"shots": list(contest.lesson.questions)}) if values else None


def base(model: Lm) -> System:
    """`base`: the base alone."""

    @contextmanager
    def opened() -> Iterator[Form]:
        yield Form(model)

    return System("base", opened)


def base_shots(model: Lm, contest: Contest) -> System | None:
    """`base-shots`: the base with as many shots in its prompt as fit; None where none does."""
    shots, longest = contest.lesson.questions, answer_length(model.tokenizer, contest.lesson.shots)
    shown = shots_that_fit(model, shots, contest.test, max_new_tokens=longest, seed=contest.lesson.seed)

    @contextmanager
    def opened() -> Iterator[Form]:
        yield Form(model, shots=shown)

    note = f"{len(shown)} of {len(shots)} shots fit"
    return System("base-shots", opened, {"shots": list(shown)}, note) if shown else None


def best_single(model: Lm, contest: Contest) -> System:
    """`best-single`: the adapter with the best place by K-shot, as published."""
    best = contest.pool[0]

    @contextmanager
    def opened() -> Iterator[Form]:
        with on_base(model, single_start(factors_of(model, best))) as form:
            yield form

    return System("best-single", opened, {"adapter": best}, best.repo)


@contextmanager
def on_base(model: Lm, start: Start) -> Iterator[Form]:
    """A plain LoRA as it starts, nothing trained."""
    lora = attach(model.model, start.wide, {})
    try:
        yield Form(Lm(lora.eval(), model.tokenizer), lora.disable_adapter, stored(lora), start.wide.rank)
    finally:
        lora.unload()
