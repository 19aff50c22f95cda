"""What is out there for a base: adapters and datasets."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from hubexpert.records.record import Record, Source

ACCEPTED = "accepted"
Relation = Literal["same", "mirror", "quantized", "finetune"]


class Candidate(Record):
    """An adapter that discovery found; `verdict` is `accepted` or a reason code.

    `remarks` are what is worth knowing and no fault: fields nobody here knows, a conversion that will be needed.
    """

    source: Source
    verdict: str
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    found_by: tuple[Literal["tag", "config", "id"], ...]
    base: str | None = None
    relation: Relation | None = Field(default=None, description="what `base` is to the base that was looked for")
    peft_type: str | None = None
    rank: int | None = None
    target_modules: tuple[str, ...] = ()
    size: int | None = Field(default=None, description="bytes of the weights' file")
    downloads: int = 0
    likes: int = 0
    author: str | None = None
    last_modified: str | None = None
    datasets: tuple[str, ...] = ()


def as_tuple(value: object) -> object:
    """One value that stands for a list of one: `x` as `(x,)`, nothing as none."""
    return (value,) if isinstance(value, (str, int, float)) else value or ()


class ColumnMap(Record):
    """Which columns of a dataset become an example's fields; dots lead into nested columns (`answers.text`).

    `output` may hold a label's or a choice's index; then `choices`, or the names of the column's classes, say which
    text is meant. `choices` are one column that holds a list, or several of one choice each. Where `output` is also the
    only input, the column holds a chat: its last message is the output. A name alone stands for a list of one.
    """

    config: str | None = None
    split: str | None = None
    instruction: str | None = None
    input: Annotated[tuple[str, ...], BeforeValidator(as_tuple), Field(min_length=1)] = Field(
        description="the columns that make the input, in order"
    )
    output: str
    choices: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ()
    rationale: str | None = None


class DatasetConfig(Record):
    """One configuration of a dataset."""

    name: str
    splits: dict[str, int | None] = Field(default={}, description="split -> rows, where they are known")
    columns: dict[str, str] = Field(default={}, description="column -> type, as the dataset's card or rows tell it")


class DatasetCandidate(Record):
    """A dataset: cited by accepted adapters, found by a search, or named. `verdict` is `accepted` or a reason code."""

    repo: str
    source: Source | None = Field(default=None, description="None where it cannot be resolved")
    verdict: str
    reason: str | None = Field(default=None, description="why it cannot be used, if so")
    found_by: tuple[Literal["cited", "search", "id"], ...]
    cited_by: tuple[str, ...] = ()
    downloads: int = 0
    size: int | None = Field(default=None, description="bytes of its files")
    configs: tuple[DatasetConfig, ...] = ()
    mapping: ColumnMap | None = Field(default=None, description="the recipe's, else a guess")
    sample: dict[str, str] | None = Field(default=None, description="the first row's fields as mapped, cut short")


class Relative(Record):
    """Another repository that holds the base: `mirror` (a copy) or `quantized`."""

    repo: str
    relation: Relation


class Discovery(Record):
    """All that was found for one base.

    `candidates` holds the adapters that were inspected or named; of the others, refused by what a listing says of
    them, only the number is kept here: `verdicts` counts every adapter found.
    """

    base: str
    endpoint: str
    candidates: tuple[Candidate, ...]
    verdicts: dict[str, int] = Field(default={})
    relatives: tuple[Relative, ...] = ()
    datasets: tuple[DatasetCandidate, ...] = ()

    @property
    def accepted(self) -> tuple[Candidate, ...]:
        """The candidates that may be scored, in order of discovery."""
        return tuple(c for c in self.candidates if c.verdict == ACCEPTED)
