"""Everything that is trained, in one way: opened on the base, tuned by cross-validation, trained on all examples."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from hubexpert import lm
from hubexpert.examine import expanded
from hubexpert.factors import Factors
from hubexpert.lm import Encoded, Lm
from hubexpert.moe.adapter import attach
from hubexpert.moe.initial import routers
from hubexpert.moe.widen import Wide, linears, size, widen
from hubexpert.recipe import TrainSection
from hubexpert.records import Example, TrainingExample, Tuning
from hubexpert.spread import Job, Workers, read_trained, spread
from hubexpert.start import Start
from hubexpert.train import train, trainable
from hubexpert.tune import Fold, tune
from hubexpert.workspace import Journal, fingerprint


@dataclass(frozen=True)
class Lesson:
    """What is learned from and how, equal for all that are compared. `checkpoints` is a folder of this lesson alone.

    `examples` begin with the shots: an example for each of a shot's rationales where they are distilled. With `workers`
    other processes train; what is learned is the same up to rounding.
    """

    examples: tuple[TrainingExample, ...]
    section: TrainSection
    seed: int
    journal: Journal
    checkpoints: Path
    quiet: bool = False
    workers: Workers | None = None

    @property
    def shots(self) -> tuple[Example, ...]:
        """The shots among the examples: those that were made of no row."""
        return tuple(each.example for each in self.examples if each.origin is None)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The shots' places, those of one question together."""
        found: dict[tuple[object, ...], list[int]] = {}
        for place, shot in enumerate(self.shots):
            found.setdefault((shot.instruction, shot.input, shot.choices, shot.output), []).append(place)
        return tuple(map(tuple, found.values()))

    @property
    def questions(self) -> tuple[Example, ...]:
        """One of the shots of each question."""
        return tuple(self.shots[group[0]] for group in self.groups)

    def place(self, name: str, key: object) -> Path:
        """The folder for the checkpoints of the training called `name` that `key` tells from others."""
        return self.checkpoints / f"{name.replace(' ', '-')}-{fingerprint(key)[:16]}"


@dataclass(frozen=True)
class Trained:
    """A trained model on the base, in evaluation mode, and how it was trained."""

    model: Lm
    tuning: Tuning
    losses: tuple[float, ...]


def encode_all(model: Lm, examples: Sequence[Example]) -> list[Encoded]:
    """The examples as the model learns them: the gold output, then its rationale where there is one."""
    return [lm.encode(model.tokenizer, example, expanded(example)) for example in examples]


def encode_lesson(model: Lm, lesson: Lesson) -> list[Encoded]:
    """All that the lesson learns from, with its weights, the shots first."""
    encoded = encode_all(model, [each.example for each in lesson.examples])
    return [replace(one, weight=each.weight) for one, each in zip(encoded, lesson.examples, strict=True)]


def mixture_wide(model: Lm, experts: Sequence[Factors], lesson: Lesson) -> Wide:
    """The experts side by side with a fresh shared expert, on every module that one of them adapts in any layer."""
    layers = linears(model.model, {suffix for expert in experts for suffix in expert.suffixes})
    return widen(experts, layers, shared_rank=lesson.section.shared_rank, seed=lesson.seed)


def mixture_start(model: Lm, experts: Sequence[Factors], lesson: Lesson) -> Start:
    """The mixture with routers that start as the section says."""
    wide, encoded = mixture_wide(model, experts, lesson), encode_all(model, lesson.shots)
    return Start(wide, routers(model, experts, wide, encoded, lesson.section.initial, seed=lesson.seed))


def single_start(factors: Factors) -> Start:
    """One adapter as a plain LoRA."""
    owner = {module: torch.zeros(len(a), dtype=torch.long) for module, a in factors.a.items()}
    return Start(Wide(factors.a, factors.b, owner, experts=0), {})


def fresh_start(model: Lm, like: Wide, *, seed: int) -> Start:
    """A new LoRA on the modules of `like`, at the rank that gives it as many parameters (at least 1)."""
    layers = linears(model.model, {module.rsplit(".", 1)[-1] for module in like.a})
    rank = max(1, round(size(like) / sum(inside + outside for inside, outside in layers.values())))
    return Start(widen([], layers, shared_rank=rank, seed=seed), {})


@contextmanager
def opened(model: Lm, start: Start, section: TrainSection) -> Iterator[Lm]:
    """The base with the start on it, ready to be trained; when the block ends, the base is as it was."""
    peft_model = attach(model.model, start.wide, start.routers, top_k=section.top_k)
    try:
        if start.wide.experts:
            trainable(peft_model, section.train)
        yield Lm(peft_model.eval(), model.tokenizer)
    finally:
        peft_model.unload()


@contextmanager
def trained(
    model: Lm, start: Start, lesson: Lesson, name: str, key: object, *, tuning: Tuning | None = None
) -> Iterator[Trained]:
    """The start after its training; when the block ends, the base is as it was.

    Args:
        model: the base.
        start: where it starts.
        lesson: what is learned from and how.
        name: what the progress calls it.
        key: what tells this start from others, in the journal of the tuning and among the checkpoints.
        tuning: learning rate and epochs; by default chosen by cross-validation on the shots.
    """
    encoded, section = encode_lesson(model, lesson), lesson.section
    tuning = tuning or tune(
        lambda: opened(model, start, section),
        encoded,
        section,
        lesson.journal,
        key,
        groups=lesson.groups,
        seed=lesson.seed,
        label=f"tuning {name}",
        elsewhere=(
            (lambda folds: _elsewhere(model, start, lesson, lesson.place(name, key), f"tuning {name}", folds))
            if lesson.workers
            else None
        ),
        quiet=lesson.quiet,
    )
    place = lesson.place(name, [key, tuning])
    if lesson.workers and tuning.epochs:
        _elsewhere(model, start, lesson, place, f"training {name}", tuning)
    with opened(model, start, section) as form:
        if lesson.workers and tuning.epochs:
            losses = read_trained(form, _files(place))
        else:
            losses = train(
                form,
                encoded,
                section,
                place,
                seed=lesson.seed,
                label=f"training {name}",
                learning_rate=tuning.learning_rate,
                stop=tuning.epochs,
                quiet=lesson.quiet,
            )
        yield Trained(form, tuning, losses)


def _elsewhere(model: Lm, start: Start, lesson: Lesson, place: Path, label: str, what: Tuning | Sequence[Fold]) -> None:
    """Let the workers train folds or, with the tuning that was chosen, all of the examples."""
    assert lesson.workers is not None  # noqa: S101
    tuning = what if isinstance(what, Tuning) else None
    job = Job(
        base=lesson.workers.base,
        quantize=lesson.workers.quantize,
        section=lesson.section,
        examples=tuple((each.prompt, each.answer, each.weight) for each in encode_lesson(model, lesson)),
        seed=lesson.seed,
        label=label,
        checkpoints=place,
        tuning=tuning,
        folds=() if isinstance(what, Tuning) else tuple(what),
        journal=lesson.journal.path,
    )
    spread(lesson.workers, model, start, job, _files(place), quiet=lesson.quiet)


def _files(place: Path) -> Path:
    return place.with_name(f"{place.name}.workers")
