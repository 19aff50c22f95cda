"""Rows of open datasets, the examples that they become, and what came of every row."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from hubexpert.records.examples import Example, TeacherCounts
from hubexpert.records.record import Record, Source

Method = Literal["select", "rebase", "random", "kard", "beacons"]


class Place(Record):
    """Where a row stands."""

    source: Source
    config: str
    split: str
    row: int = Field(description="from 0, in the order of the split")

    @property
    def place(self) -> dict[str, Any]:
        """The fields that tell the place, for another record of the same row."""
        return {"source": self.source, "config": self.config, "split": self.split, "row": self.row}


class Row(Place):
    """A row of a dataset: its columns as text, and the example that the column map makes of it, if any."""

    values: dict[str, str] = Field(default={}, description="column -> text; nested columns by their path with dots")
    example: Example | None = None


class Origin(Place):
    """The row that an example was made of, and the method that took it."""

    method: Method
    closeness: float = Field(description="to the shots, as that method measures it; 0 of rows drawn at random")


class TrainingExample(Record):
    """What is trained on: a shot (no origin), or an example made of a row; `weight` multiplies its loss."""

    example: Example
    origin: Origin | None = None
    weight: float = 1.0
    distance: float | None = Field(default=None, description="of the base's own answer, where beacons asked for it")


def as_lesson(shots: Sequence[Example]) -> tuple[TrainingExample, ...]:
    """The shots alone, as what is trained on."""
    return tuple(TrainingExample(example=shot) for shot in shots)


class RefusedRow(Place):
    """A row that was not taken, with a reason code, a sentence, and the beginning of its text."""

    code: str
    reason: str
    text: str


class Harvest(Record):
    """What one method made of the rows: `kept` examples, and for every reason code how many rows were refused."""

    method: Method
    considered: int = Field(description="rows that the method looked at")
    kept: tuple[TrainingExample, ...]
    refused: dict[str, int] = Field(default={}, description="reason code -> rows")
    samples: tuple[RefusedRow, ...] = Field(default=(), description="a few refused rows of each code")
    teacher: TeacherCounts | None = None


class Diversity(Record):
    """How varied examples are, as ReBase reports it (arXiv 2407.05463, section 4): shares of all, 0 to 1."""

    examples: int
    unique: float = Field(description="share of examples whose text stands once only")
    unigrams: int = Field(description="different words")
    unigram_share: float = Field(description="different words over all words")
    bigrams: int = Field(description="different pairs of neighbouring words")
    bigram_share: float = Field(description="different pairs over all pairs")
    datasets: int
    largest: float = Field(description="share of the dataset that gave most")


class MethodReport(Record):
    """What came of one method: how many of the rows or examples that it looked at were kept, and why not the others."""

    method: Method
    considered: int
    kept: int
    refused: dict[str, int] = Field(default={}, description="reason code -> how many")
    samples: tuple[RefusedRow, ...] = Field(default=(), description="a few of each code")
    teacher: TeacherCounts | None = None
    diversity: Diversity | None = None


class Beacons(Record):
    """How far a model's answers are from the gold ones, in cosine distance (0 to 2), before and after training."""

    examples: int
    before: float = Field(description="mean, of the base")
    after: float = Field(description="mean, of the trained mixture")
    away: float = Field(description="share of examples that training pushed away, 0 to 1")


class DatasetUse(Record):
    """How much of one dataset was read, removed before any method saw it, and taken."""

    source: Source
    config: str
    split: str
    read: int = Field(description="rows, spread evenly over the split")
    removed: dict[str, int] = Field(default={}, description="reason code -> rows: leaks, languages, no example")
    taken: dict[Method, int] = Field(default={}, description="method -> examples")


class DataMap(Record):
    """Where the rows lie around the shots: on the plane of their vectors' two widest directions."""

    digest: str = Field(description="sha256 of all that is trained on, as the lock keeps it")
    share: float = Field(description="of the vectors' variance, that the plane shows, 0 to 1")
    shots: tuple[tuple[float, float], ...]
    taken: tuple[tuple[float, float], ...] = Field(description="rows that are trained on")
    others: tuple[tuple[float, float], ...] = Field(description="refused, or not close enough")


class Data(Record):
    """All that is trained on beyond the shots, where it comes from, and what was left out."""

    examples: tuple[TrainingExample, ...] = Field(default=(), description="the shots first")
    methods: tuple[MethodReport, ...] = ()
    datasets: tuple[DatasetUse, ...] = ()
    unread: dict[str, str] = Field(default={}, description="dataset -> why its rows could not be read")
    missed: tuple[str, ...] = Field(default=(), description="those of them that may be read another time")
    samples: tuple[RefusedRow, ...] = Field(default=(), description="a few removed rows of each code")
