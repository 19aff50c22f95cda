"""Rows on disk: read once, streamed, or fetched by their places."""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from hubexpert.records import Record, Row, Source

ROWS, OFFSETS, ABOUT = "rows.jsonl", "offsets.npy", "about.json"


class About(Record):
    """What the rows of one file are."""

    source: Source
    config: str
    split: str
    count: int
    total: int | None


@dataclass(frozen=True)
class RowFile:
    """The rows that were read of one dataset, a `Row` a line, in the order of the split.

    Attributes:
        path: the file; where its lines begin lies beside it.
        source: the dataset.
        config: the configuration that was read.
        split: its split.
        count: how many rows were read.
        total: how many the split has; None where reading ended before it did.
    """

    path: Path
    source: Source
    config: str
    split: str
    count: int
    total: int | None

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Row]:
        with self.path.open("rb") as file:
            for line in file:
                yield Row.model_validate_json(line)

    def at(self, places: Sequence[int]) -> list[Row]:
        """The rows at these places of the file (from 0; not their numbers in the split), in that order.

        Raises:
            IndexError: there is no such place.
        """
        offsets = np.load(self.path.with_name(OFFSETS), mmap_mode="r")
        return [Row.model_validate_json(line) for line in lines_at(self.path, offsets, places)]


def lines_at(path: Path, offsets: NDArray[np.int64], places: Iterable[int]) -> Iterator[bytes]:
    """The lines of a file at these places (from 0), in that order, by where each line begins.

    Raises:
        IndexError: there is no such place.
    """
    with path.open("rb") as file:
        for place in places:
            if not 0 <= place < len(offsets):
                raise IndexError(f"place {place} of {len(offsets)}")
            file.seek(int(offsets[place]))
            yield file.readline()


def open_rows(folder: Path) -> RowFile | None:
    """The rows that `write_rows` left in the folder; None where it left none."""
    try:
        about = About.model_validate_json((folder / ABOUT).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return RowFile(folder / ROWS, about.source, about.config, about.split, about.count, about.total)


def write_rows(
    folder: Path, source: Source, config: str, split: str, total: int | None, rows: Iterable[Row]
) -> RowFile:
    """Write the rows into the folder, which appears when all are written; a folder that exists is finished.

    Args:
        folder: replaced if it is there.
        source: the dataset.
        config: the configuration that was read.
        split: its split.
        total: how many rows the split has, if that is known.
        rows: streamed.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    offsets = []
    with (temporary / ROWS).open("wb") as file:
        for row in rows:
            offsets.append(file.tell())
            file.write(row.model_dump_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    np.save(temporary / OFFSETS, np.array(offsets, dtype=np.int64))
    about = About(source=source, config=config, split=split, count=len(offsets), total=total)
    (temporary / ABOUT).write_text(about.model_dump_json(indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
    return RowFile(folder / ROWS, source, config, split, len(offsets), total)
