"""What is compared: the mixture in its two forms, and everything that would be cheaper."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from hubexpert.experts.load import adapter_factors
from hubexpert.lm import Lm
from hubexpert.moe.adapter import attach, gated_layers, load, static
from hubexpert.records import Build, Example, Source, Tuning
from hubexpert.trained import Lesson, Start, fresh_start, mixture_start, single_start, trained

ROUTED = "routed"


@dataclass(frozen=True)
class Contest:
    """What is compared, and on what: the mixture in `folder`, the scored pool (best first), the held-out rows."""

    base: Source
    build: Build
    folder: Path
    pool: tuple[Source, ...]
    test: tuple[Example, ...]
    metric: str
    lesson: Lesson

    @property
    def experts(self) -> tuple[Source, ...]:
        """The mixture's experts."""
        return tuple(expert.source for expert in self.build.experts)


@dataclass(frozen=True)
class Form:
    """A system on the base: what answers, and what is stored for it beside the base.

    Attributes:
        model: answers as the system.
        without: within this block `model` is the base.
        parameters: numbers that are stored.
        rank: of the LoRA.
        tuning: where it was trained for this comparison.
    """

    model: Lm
    without: Callable[[], AbstractContextManager[object]] = nullcontext
    parameters: int = 0
    rank: int = 0
    tuning: Tuning | None = None


@dataclass(frozen=True)
class System:
    """One system: its name, what its answers depend on beside base and rows, and what opens it on the base."""

    name: str
    open: Callable[[], AbstractContextManager[Form]]
    depends: dict[str, object] = field(default_factory=dict)
    note: str = ""


def systems(model: Lm, contest: Contest) -> tuple[System, ...]:
    """Every system in the order of the report; opening one and closing it leaves the base as it was."""
    lesson, build = contest.lesson, contest.build
    lessons: dict[str, object] = {"shots": list(lesson.shots), "section": lesson.section, "seed": lesson.seed}
    files: dict[str, object] = {"files": build.files}
    best = contest.pool[0]
    others = random_group(contest.pool, contest.experts, len(build.experts), seed=lesson.seed)

    @contextmanager
    def base() -> Iterator[Form]:
        yield Form(model)

    @contextmanager
    def single() -> Iterator[Form]:
        start = single_start(adapter_factors(best, lambda: model.model))
        with _lora(model, start) as form:
            yield form

    @contextmanager
    def tuned() -> Iterator[Form]:
        start = single_start(adapter_factors(best, lambda: model.model))
        with learned(model, start, lesson, "the best single expert", ["single", best]) as form:
            yield form

    @contextmanager
    def routed() -> Iterator[Form]:
        mixture = load(contest.folder, base=model.model)
        routers = sum(gate.router.numel() for gate, _ in gated_layers(mixture).values())
        try:
            size = _stored(mixture)
            yield Form(Lm(mixture, model.tokenizer), mixture.disable_adapter, size + routers, build.rank, build.tuning)
        finally:
            mixture.unload()

    @contextmanager
    def merged() -> Iterator[Form]:
        with routed() as form, static(form.model.model):
            size = _stored(form.model.model)
            yield Form(form.model, form.without, size, form.rank, form.tuning)

    @contextmanager
    def fresh() -> Iterator[Form]:
        factors = [adapter_factors(source, lambda: model.model) for source in contest.experts]
        start = fresh_start(model, mixture_start(model, factors, lesson).wide, seed=lesson.seed)
        with learned(model, start, lesson, "a fresh LoRA", ["fresh", start.wide.rank, sorted(start.wide.a)]) as form:
            yield form

    @contextmanager
    def strangers() -> Iterator[Form]:
        start = mixture_start(model, [adapter_factors(source, lambda: model.model) for source in others], lesson)
        name = "a mixture of random experts"
        with learned(model, start, lesson, name, ["mixture", others], tuning=build.tuning) as form:
            yield form

    names = ", ".join(source.repo for source in others)
    random_ones = System(
        "random-experts",
        strangers,
        {**lessons, "experts": list(others), "tuning": build.tuning},
        f"{names}; learning rate and epochs as the mixture's",
    )
    return (
        System("base", base),
        System("best-single", single, {"adapter": best}, best.repo),
        System("best-single-tuned", tuned, {**lessons, "adapter": best}, best.repo),
        System("static", merged, files),
        System(ROUTED, routed, files),
        System("fresh-lora", fresh, {**lessons, "experts": list(contest.experts)}, "of the mixture's size"),
        *([random_ones] if others else []),
    )


def random_group(pool: Sequence[Source], chosen: Sequence[Source], count: int, *, seed: int) -> tuple[Source, ...]:
    """`count` adapters of the pool drawn at random: of those not chosen while they suffice, else of all.

    None where the pool holds no other group than the chosen one.
    """
    left = [source for source in pool if source not in chosen]
    if not left:
        return ()
    dice = random.Random(seed)  # noqa: S311  no secret
    if len(left) >= count:
        return tuple(dice.sample(left, count))
    return (*left, *dice.sample(list(chosen), count - len(left)))


@contextmanager
def _lora(model: Lm, start: Start) -> Iterator[Form]:
    lora = attach(model.model, start.wide, {})
    try:
        yield Form(Lm(lora.eval(), model.tokenizer), lora.disable_adapter, _stored(lora), start.wide.rank)
    finally:
        lora.unload()


@contextmanager
def learned(
    model: Lm, start: Start, lesson: Lesson, name: str, key: object, *, tuning: Tuning | None = None
) -> Iterator[Form]:
    """The start as a system, after its training."""
    with trained(model, start, lesson, name, key, tuning=tuning) as made:
        lora = made.model.model
        yield Form(made.model, lora.disable_adapter, _stored(lora), start.wide.rank, made.tuning)


def _stored(lora: nn.Module) -> int:
    """How many numbers the A's and B's hold."""
    return sum(p.numel() for name, p in lora.named_parameters() if "lora_" in name and not name.endswith("router"))
