"""What the datasets that adapters cite hold of the task's examples, and where their rows come from."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hubexpert import hub
from hubexpert.discover.data.verdict import config_read
from hubexpert.overlap import overlap
from hubexpert.recipe import is_folder
from hubexpert.records import DatasetCandidate, Example

UNREADABLE = ("gated", "private", "missing", "too-large", "not-looked-up")  # verdicts on datasets
MOST = 5  # datasets of which rows are read
MOST_ROWS = 20_000  # of each
LINE = 1 << 22  # characters of a line of a file that are read


@dataclass(frozen=True)
class Holding:
    """What a cited dataset holds of the task's examples.

    Attributes:
        dataset: its name.
        cited_by: the adapters that cite it.
        unread: why its rows could not be read, if so.
        rows: how many were read.
        shots: how many shots stand in them.
        test: how many held-out examples do.
    """

    dataset: str
    cited_by: tuple[str, ...]
    unread: str | None
    rows: int = 0
    shots: int = 0
    test: int = 0


def holdings(
    datasets: Sequence[DatasetCandidate],
    shots: Sequence[Example],
    test: Sequence[Example],
    rows_of: Callable[[DatasetCandidate], Iterable[Sequence[str]]],
) -> tuple[Holding, ...]:
    """What the datasets that adapters cite hold of the task's examples: of the five most cited ones that can be read.

    Args:
        datasets: as discovery found them.
        shots: the K examples.
        test: the held-out examples.
        rows_of: gives the texts of a dataset's rows, as `dataset_rows` does.

    Raises:
        HubExpertError: rows cannot be read at all here; what is one dataset's fault is told in its holding.
    """
    readable = [d for d in datasets if d.cited_by and d.verdict not in UNREADABLE]
    found = []
    for dataset in sorted(readable, key=lambda d: (-len(d.cited_by), d.repo))[:MOST]:
        try:
            both = overlap([*shots, *test], rows_of(dataset))
        except hub.SourceError as error:
            found.append(Holding(dataset.repo, dataset.cited_by, error.message))
            continue
        found.append(
            Holding(
                dataset.repo,
                dataset.cited_by,
                None,
                both.rows,
                shots=sum(index < len(shots) for index in both.verbatim),
                test=sum(index >= len(shots) for index in both.verbatim),
            )
        )
    return tuple(found)


def dataset_rows(dataset: DatasetCandidate, limit: int) -> Iterator[tuple[str, ...]]:
    """The texts of a dataset's first rows, of the configuration and split its mapping names (else `train`).

    Of a dataset on the Hub they are had within the limits of `hub.first_rows`; of a folder they are the lines of its
    `*.jsonl`, in order of name.

    Args:
        dataset: on the Hub, or a folder by its path.
        limit: how many rows at most.

    Raises:
        SourceError: the rows cannot be read, or not in time.
        HubExpertError: the library for reading rows is not installed.
    """
    if is_folder(dataset.repo):
        yield from islice(_lines(Path(dataset.repo).expanduser()), limit)
    elif dataset.source is not None:
        split = dataset.mapping.split if dataset.mapping else None
        for row in hub.first_rows(dataset.source, config_read(dataset), split, limit):
            yield tuple(_texts(row))


def _lines(folder: Path) -> Iterator[tuple[str, ...]]:
    """The texts of each line; a line that is no JSON is one text."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8", errors="replace") as file:
            while line := file.readline(LINE):
                try:
                    yield tuple(_texts(json.loads(line)))
                except (ValueError, RecursionError):
                    yield (line,)


def _texts(value: Any) -> Iterator[str]:
    """The texts in a JSON value, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for held in value.values() if isinstance(value, dict) else value:
            yield from _texts(held)
