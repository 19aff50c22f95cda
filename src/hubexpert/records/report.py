"""The comparison on held-out examples, what the experts contribute, where it was published."""

from typing import Literal

from pydantic import Field

from hubexpert.records.mixture import Tuning
from hubexpert.records.record import Record, Source

Protocol = Literal["held-out", "cross-validation"]


class Cost(Record):
    """What a system costs beside the base."""

    parameters: int = Field(default=0, description="numbers that are stored beside the base")
    rank: int = Field(default=0, description="of the LoRA; 0: there is none")
    latency: float | None = Field(default=None, description="seconds to answer over those of the base, side by side")


class Measured(Record):
    """What one system did on the held-out examples: the metric's value of each, in their order."""

    values: tuple[float, ...]
    cost: Cost | None = None
    tuning: Tuning | None = None


class SystemScore(Record):
    """One system's score on the held-out examples with a 95 % bootstrap interval."""

    name: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    note: str = ""
    cost: Cost | None = Field(default=None, description="None where nothing runs")
    tuning: Tuning | None = Field(default=None, description="where it was trained here")


class Difference(Record):
    """Mean paired difference `first - second` on the same examples with a 95 % bootstrap interval.

    `p` is of the hypothesis that neither is better (exact McNemar where all values are 0 or 1, else sign flips);
    `adjusted` after Holm's correction for all comparisons of the report.
    """

    first: str
    second: str
    value: float
    low: float
    high: float
    p: float | None = None
    adjusted: float | None = None


class AblationRow(Record):
    """How the mixture does on held-out examples when it is trained on one choice of data, with 95 % intervals."""

    name: str
    examples: int = Field(description="that it was trained on, with the shots")
    metric: str
    n: int = Field(description="held-out examples")
    value: float
    low: float
    high: float
    differences: tuple[Difference, ...] = Field(description="from the shots alone and from random rows, paired")


class Contribution(Record):
    """What one expert contributes to the routed mixture on held-out examples, with 95 % intervals."""

    source: Source
    shapley: float = Field(description="what it adds to the metric on joining the others, over all orders of joining")
    low: float
    high: float
    leave_one_out: float = Field(description="what the whole mixture loses without it")
    loo_low: float
    loo_high: float


class Contributions(Record):
    """Every expert's contribution: the Shapley values add up to `whole` - `empty`."""

    metric: str
    n: int = Field(description="examples")
    coalitions: int = Field(description="how many groups of experts were measured")
    exact: bool = Field(description="whether these are all groups; otherwise orders of joining were drawn")
    empty: float = Field(description="the metric with every routed expert silent: the base and the shared expert")
    whole: float = Field(description="the metric of the routed mixture")
    experts: tuple[Contribution, ...] = Field(description="in the mixture's order")


class Report(Record):
    """The comparison on held-out examples, and the verdict drawn from it."""

    systems: tuple[SystemScore, ...]
    differences: tuple[Difference, ...]
    verdict: Literal["ship", "ship-single", "do-not-ship"]
    sentence: str
    protocol: Protocol = Field(
        default="held-out", description="what was measured on: held-out examples, or the shots by cross-validation"
    )
    removed: int = Field(default=0, description="held-out examples removed because they stand among the shots")
    chance: float | None = Field(
        default=None, description="what needs no skill scores: the shots' commonest output, or guessing among choices"
    )
    contributions: Contributions | None = None
    longest: int | None = Field(default=None, description="tokens that an answer could have, on held-out examples")

    def system(self, name: str) -> SystemScore:
        """The system called `name`; KeyError where it was not measured."""
        for system in self.systems:
            if system.name == name:
                return system
        raise KeyError(name)


class Compared(Record):
    """The new routed mixture against the published one on the same held-out rows: paired, with a 95 % interval."""

    lock: str = Field(description="the SHA-256 of the new lock")
    published: str | None = Field(default=None, description="the published one, `owner/name@commit`")
    outcome: Literal["better", "worse", "not-worse", "nothing-published", "unknown"]
    sentence: str
    difference: float | None = Field(default=None, description="new minus published; None where none was measured")
    low: float | None = None
    high: float | None = None
    p: float | None = Field(default=None, description="as of a `Difference`")
    n: int = Field(default=0, description="held-out rows")


class Published(Record):
    """Where the mixture went: `changed` is False when the repository already held exactly this."""

    repo: str
    url: str
    commit: str
    changed: bool
