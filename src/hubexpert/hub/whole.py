"""All rows of a dataset, one after another, read by the same script as a few of them: see `hub/rows.py`."""

import json
import os
import selectors
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from hubexpert.hub.rows import COMMAND, PASSING, check_readable, environment, faulty, unreadable
from hubexpert.records import Source

DAY = 24 * 3600.0  # seconds of computing
BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class Stream:
    """The rows of a split as they are read.

    Attributes:
        columns: the names of all columns of the first rows.
        classes: column (nested ones by their path with dots) -> the names of its classes.
        rows: number of each (from 0, in the order of the split) and its columns that were asked for.
    """

    columns: tuple[str, ...]
    classes: Mapping[str, Sequence[str]]
    rows: Iterator[tuple[int, dict[str, Any]]]


@contextmanager
def every_row(
    source: Source, kept: Sequence[str], begin: int = 0, *, silence: float = PASSING
) -> Iterator[Stream | None]:
    """All rows of `train`, else of the first split, of the configuration `default`, else of the first; None of no rows.

    They are streamed at the pinned commit by a process of its own within a limit of memory, which waits while nobody
    takes them and ends with the context. Of a row 4,000,000 characters are read. Rows before `begin` are passed over.

    Args:
        source: the dataset.
        kept: columns that are read; those that are not there are left out.
        begin: the number of the first row.
        silence: seconds without a row after which reading is given up.

    Raises:
        SourceError: the rows cannot be read, or no more come; raised while they are taken, too.
        HubExpertError: `datasets` is not installed.
    """
    check_readable()
    asked = {"repo": source.repo, "revision": source.revision, "kept": list(kept), "begin": begin, "seconds": DAY}
    with (
        tempfile.TemporaryDirectory(prefix="hubexpert-rows-") as folder,
        subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment(),
        ) as process,
    ):
        try:
            assert process.stdin is not None  # noqa: S101 - it is a pipe
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(json.dumps(asked).encode())
            said = _said(process, source, silence)
            first = next(said)
            if "total" in first:
                yield None
            else:
                yield Stream(tuple(first["columns"]), first["classes"], _rows(said))
        finally:
            process.kill()


def _rows(said: Iterator[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for line in said:
        if isinstance(line, dict):
            return  # the total
        yield line[0], line[1]


def _said(process: "subprocess.Popen[bytes]", source: Source, silence: float) -> Iterator[Any]:
    """What the script says, line by line, the total last."""
    said: Any = None
    for line in _lines(process, source, silence):
        try:
            said = json.loads(line)
        except ValueError:
            break  # it was ended while it wrote
        if isinstance(said, dict) and "error" in said:
            raise faulty(source, said)
        yield said
    if not (isinstance(said, dict) and "total" in said):
        raise unreadable(source, "the reader was ended, it took too much memory or time", "failing")


def _lines(process: "subprocess.Popen[bytes]", source: Source, silence: float) -> Iterator[bytes]:
    """The lines of its stdout; the last one may be cut short."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    pipe, pieces = process.stdout.fileno(), list[bytes]()
    with selectors.DefaultSelector() as waiting:
        waiting.register(pipe, selectors.EVENT_READ)
        while True:
            if not waiting.select(silence):
                raise unreadable(source, f"no row within {silence:.0f} s", "failing")
            block = os.read(pipe, BLOCK)
            if not block:
                break
            head, *rest = block.split(b"\n")
            pieces.append(head)
            for line in rest:
                yield b"".join(pieces)
                pieces = [line]
    if any(pieces):
        yield b"".join(pieces)
