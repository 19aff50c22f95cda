"""The task, and what discovery looks at."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from hubexpert.recipe.section import Language, Section
from hubexpert.records import ColumnMap

FREE_LICENSES = (
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-3.0", "cc-by-sa-4.0",
    "cc-by-sa-3.0", "cdla-permissive-2.0", "cdla-sharing-1.0", "unlicense", "openrail", "bigscience-openrail-m",
    "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "gemma",
)  # fmt: skip


class TaskSection(Section):
    """The task.

    Attributes:
        name: of the task.
        instruction: of examples that have none of their own.
        shots: a file or folder.
        draw: how many of its examples are the shots, drawn with the seed; by default all, in their order.
        test: held-out rows.
        metric: how an answer is judged.
        datasets: what the task was drawn from.
        languages: ISO 639-1 codes of its examples' languages; told by the card, and asked of rows of open datasets.
    """

    name: str
    instruction: str = ""
    shots: str
    draw: Annotated[int, Field(gt=0)] | None = None
    test: str | None = None
    metric: str = "exact_match"
    datasets: tuple[str, ...] = ()
    languages: tuple[Language, ...] = ()


class DiscoverSection(Section):
    """What discovery looks at.

    Attributes:
        limit: how many adapters are inspected at most.
        licenses: licence ids; `unknown` admits what states none.
        include: adapters that are inspected whatever their tags, each optionally `@revision`.
        exclude: adapters that are left out, by name or pattern.
        max_rank: the largest rank.
        sort: which adapters are inspected first.
        since: only what changed on this day or later.
        finetunes: whether adapters of fine-tunes of the base are admitted.
        datasets: how many datasets are looked up at most.
        columns: dataset -> which of its columns become an example's fields, where the guess is wrong.
    """

    limit: Annotated[int, Field(gt=0)] = 200
    licenses: tuple[str, ...] = FREE_LICENSES
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_rank: Annotated[int, Field(gt=0)] = 256
    sort: Literal["downloads", "likes", "modified"] = "downloads"
    since: date | None = None
    finetunes: bool = False
    datasets: Annotated[int, Field(ge=0)] = 20
    columns: dict[str, ColumnMap] = Field(default={})
