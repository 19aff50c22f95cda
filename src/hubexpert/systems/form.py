"""What is compared and on what, and what a system is: something that opens on the base and closes again."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from hubexpert.experts.load import adapter_factors
from hubexpert.factors import Factors
from hubexpert.lm import Lm
from hubexpert.recipe import EvaluateSection
from hubexpert.records import Build, Example, Source, Tuning
from hubexpert.start import Start
from hubexpert.trained import Lesson, trained


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
    section: EvaluateSection

    @property
    def experts(self) -> tuple[Source, ...]:
        """The mixture's experts."""
        return tuple(expert.source for expert in self.build.experts)

    @property
    def learned_from(self) -> dict[str, object]:
        """What everything trained depends on."""
        return {"examples": list(self.lesson.examples), "section": self.lesson.section, "seed": self.lesson.seed}


@dataclass(frozen=True)
class Form:
    """A system on the base: what answers, and what is stored for it beside the base.

    Attributes:
        model: answers as the system.
        without: within this block `model` is the base.
        parameters: numbers that are stored.
        rank: of the LoRA.
        tuning: where it was trained for this comparison.
        shots: stand in the prompt.
        values: of the metric, where there is nothing to ask.
    """

    model: Lm
    without: Callable[[], AbstractContextManager[object]] = nullcontext
    parameters: int = 0
    rank: int = 0
    tuning: Tuning | None = None
    shots: tuple[Example, ...] = ()
    values: tuple[float, ...] | None = None


@dataclass(frozen=True)
class System:
    """One system.

    Attributes:
        name: in the report.
        open: opens it on the base; closing it leaves the base as it was.
        depends: what its answers depend on beside the base, the rows and the metric.
        note: what the report says of it.
    """

    name: str
    open: Callable[[], AbstractContextManager[Form]]
    depends: dict[str, object] = field(default_factory=dict)
    note: str = ""


def factors_of(model: Lm, source: Source) -> Factors:
    """The factors of an adapter on this base."""
    return adapter_factors(source, lambda: model.model)


@contextmanager
def learned(
    model: Lm, start: Start, lesson: Lesson, name: str, key: object, *, tuning: Tuning | None = None
) -> Iterator[Form]:
    """The start after its training; arguments as those of `trained`."""
    with trained(model, start, lesson, name, key, tuning=tuning) as made:
        lora = made.model.model
        yield Form(made.model, lora.disable_adapter, stored(lora), start.wide.rank, made.tuning)


def stored(lora: nn.Module) -> int:
    """How many numbers the A's, the B's and the routers hold."""
    return sum(parameter.numel() for name, parameter in lora.named_parameters() if "lora_" in name)
