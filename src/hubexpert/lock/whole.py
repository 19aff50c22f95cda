"""The record itself."""

from typing import Any, Final, Literal

from pydantic import Field

from hubexpert.recipe import is_folder
from hubexpert.records import (
    Build,
    DatasetUse,
    Discovery,
    KardReport,
    MethodReport,
    Record,
    Report,
    ScoreTable,
    Selection,
    Source,
)

DEFAULT_LOCK = "hubexpert.lock"
LOCK_VERSION: Final = 2


class LockedData(Record):
    """What was added to the shots, and where it comes from; of the rows themselves only a digest."""

    examples: int = Field(description="beyond the shots")
    digest: str | None = Field(
        description="sha256 of all that was trained on, the shots first: each example with its weight, without what "
        "tells where it stood; None in a lock of version 1, whose digest hung on that"
    )
    methods: tuple[MethodReport, ...]
    datasets: tuple[DatasetUse, ...] = Field(description="in order of name")
    unread: dict[str, str] = Field(description="dataset -> why its rows could not be read")


class Lock(Record):
    """Everything the card and a rebuild need; no timestamps, so that equal runs give equal locks."""

    version: Literal[2] = LOCK_VERSION
    recipe: dict[str, Any] = Field(description="as it was read, every key with its value; paths are shortened")
    base: Source
    discovery: Discovery = Field(description="in order of name, without what changes by itself")
    scores: ScoreTable
    selection: Selection
    data: LockedData | None = Field(default=None, description="None where the shots alone were trained on")
    build: Build
    report: Report
    kard: KardReport | None = Field(default=None, description="None without the method of that name")
    digests: dict[str, str] = Field(description="`shots` and `test`: sha256 of the examples as read")


def used(lock: Lock) -> tuple[Source, ...]:
    """The datasets, each once, of which examples were made or passages are read; also files of one's own."""
    sources = [each.source for each in (lock.data.datasets if lock.data else ()) if each.taken]
    sources += lock.kard.sources if lock.kard else ()
    return tuple(dict.fromkeys(sources))


def taken(lock: Lock) -> tuple[Source, ...]:
    """Those of them that others can have: files of one's own are left out."""
    return tuple(source for source in used(lock) if not is_folder(source.repo))
