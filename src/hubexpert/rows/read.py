"""The rows of a dataset, read once: of the Hub at a commit, or of files on this machine."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from hubexpert import hub
from hubexpert.discover.data.verdict import columns_known, config_read, with_row
from hubexpert.recipe import is_folder
from hubexpert.records import ColumnMap, DatasetCandidate, Source
from hubexpert.rows.files import RowFile, open_rows, write_rows
from hubexpert.rows.local import OURS, local_rows
from hubexpert.rows.raw import Raw, rows_of
from hubexpert.workspace import fingerprint

FORM = 1  # raised when the same rows would be written otherwise


def read_rows(
    candidate: DatasetCandidate, limit: int, folder: Path, *, beside: Path = Path(), seconds: float = hub.PASSING
) -> RowFile:
    """At most `limit` rows, spread evenly over the split, at the pinned commit; kept in `folder`, and read once.

    Rows come as by `hub.spread_rows`, within its bounds. Every column becomes text in `values`; `example` is what the
    candidate's map of columns makes, or the map that the first row suggests; rows that make none are kept without.

    Args:
        candidate: accepted: a dataset on the Hub, or what `local_dataset` gives.
        limit: how many rows.
        folder: where rows are kept, each dataset in a folder of its own.
        beside: where the path of a local dataset counts from: the recipe's folder.
        seconds: of reading, after which what was read is enough.

    Raises:
        SourceError: the dataset's rows cannot be read; that is its fault alone.
        HubExpertError: no rows can be read here, or there is no such file.
    """
    source = candidate.source
    if source is None:
        raise hub.SourceError(f"{candidate.repo} is not to be had.", fix="leave it out", kind="missing")
    config, split = config_read(candidate), candidate.mapping.split if candidate.mapping else None
    asked = [FORM, source.repo, source.revision, config, split, candidate.mapping, limit]
    target = folder / fingerprint(asked)[:32]
    if (known := open_rows(target)) is not None:
        return known
    if is_folder(candidate.repo):
        lines, total = local_rows(candidate.repo, beside, limit)
        return _written(target, candidate, hub.Spread("default", split or "train", total, {}), lines)
    with tempfile.TemporaryDirectory(prefix="hubexpert-rows-") as temporary:
        into = Path(temporary) / "raw.jsonl"
        told = hub.spread_rows(source, config, split, limit, into, seconds=seconds)
        with into.open(encoding="ascii") as lines_:
            return _written(target, candidate, told, lines_)


def _written(target: Path, candidate: DatasetCandidate, told: hub.Spread, lines: Iterable[str]) -> RowFile:
    """The rows on disk."""
    source: Source = candidate.source  # type: ignore[assignment]  # the caller has looked
    raw = _raw(lines)
    first = next(raw, None)
    mapping = candidate.mapping or (_guessed(candidate, first) if first else None)
    every = (row for rows in ([first] if first else [], raw) for row in rows)
    rows = rows_of(source, told.config, told.split, every, mapping, told.classes)
    return write_rows(target, source, told.config, told.split, told.total, rows)


def _raw(lines: Iterable[str]) -> Iterator[Raw]:
    for line in lines:
        number, columns, harmed = json.loads(line)
        yield number, columns, harmed


def _guessed(candidate: DatasetCandidate, first: Raw) -> ColumnMap | None:
    """The map of columns that the first row suggests, where nothing is known of them."""
    _, columns, _ = first
    if is_folder(candidate.repo) and {"input", "output"} <= columns.keys():
        return OURS
    return None if columns_known(candidate) else with_row(candidate, columns, None).mapping
