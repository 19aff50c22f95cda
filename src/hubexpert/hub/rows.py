"""Rows of a dataset, read where a hostile or huge file cannot hold us: in a process that is ended in time."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import constants

from hubexpert.errors import HubExpertError
from hubexpert.escape import clean
from hubexpert.hub.calls import SourceError
from hubexpert.records import Source

COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("streaming.py")))
READING = 40.0  # seconds after which the first rows are enough that were read by then
PASSING = 240.0  # the same of rows that are spread over a split
STARTING = 50.0  # seconds beyond, for the libraries and the Hub
MOST_ROWS = 20_000
# The ML libraries that `datasets` would import where they are installed; rows are plain here.
PLAIN = {"USE_TORCH": "0", "USE_TF": "0", "USE_JAX": "0", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}


@dataclass(frozen=True)
class Spread:
    """What was read of a split.

    Attributes:
        config: the configuration.
        split: its split.
        total: how many rows it has; None where time was up before its end.
        classes: column (nested ones by their path with dots) -> the names of its classes.
    """

    config: str
    split: str
    total: int | None
    classes: dict[str, tuple[str, ...]]


def can_read_rows() -> bool:
    """Whether `datasets` is installed, which `first_rows` needs."""
    return importlib.util.find_spec("datasets") is not None


def first_rows(
    source: Source, config: str | None, split: str | None, n: int, *, seconds: float = READING + STARTING
) -> list[dict[str, Any]]:
    """The first `n` rows (20,000 at most) as plain JSON values, long ones cut, images and audio as `<binary>`.

    There are fewer where the dataset has no more, or where they are long or slow to read: 32 MiB and 40 seconds are
    enough.

    They are streamed at the pinned commit by a process of its own, within limits of time and memory; no code of the
    dataset's author is run. The caller leaves out datasets that are too large.

    Args:
        source: the dataset.
        config: one of its configurations; None: `default`, else the first.
        split: None: `train`, else the first.
        n: how many rows.
        seconds: after which reading is given up.

    Raises:
        SourceError: the rows cannot be read, or not in time.
        HubExpertError: `datasets` is not installed.
    """
    asked = {"config": config, "split": split, "count": min(n, MOST_ROWS), "seconds": READING}
    return [row for row in _said(source, asked, seconds)["rows"] if isinstance(row, dict)]


def spread_rows(
    source: Source, config: str | None, split: str | None, n: int, into: Path, *, seconds: float = PASSING
) -> Spread:
    """Write at most `n` rows, spread evenly over the split, to the file `into`: `[row, columns, columns cut]` a line.

    One pass over the split keeps every 1st, 2nd, 4th, ... row, as it turns out to be long, and thins them to `n`: no
    size that a card states is trusted. Where time is up before the end they spread over what was read, and there are
    fewer where they are long: 128 MiB in all. Of a row 100,000 characters are read, of a text 20,000.

    Args:
        source: the dataset, read as by `first_rows`.
        config: one of its configurations; None: `default`, else the first.
        split: None: `train`, else the first.
        n: how many rows.
        into: a file that is written anew.
        seconds: of reading.

    Raises:
        SourceError: the rows cannot be read, or not in time.
        HubExpertError: `datasets` is not installed.
    """
    asked = {"config": config, "split": split, "count": n, "seconds": seconds, "into": str(into.absolute())}
    said = _said(source, asked, seconds + STARTING)
    classes = {column: tuple(names) for column, names in said["classes"].items()}
    return Spread(said["config"], said["split"], said["total"], classes)


def _said(source: Source, asked: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What the script answers."""
    check_readable()
    with tempfile.TemporaryDirectory(prefix="hubexpert-rows-") as folder:
        try:
            done = subprocess.run(
                COMMAND,
                input=json.dumps({"repo": source.repo, "revision": source.revision, **asked}),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                timeout=seconds,
                cwd=folder,
                env=environment(),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise unreadable(source, f"not within {seconds:.0f} s", "failing") from None
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise unreadable(source, "the reader was ended, it took too much memory or time", "failing") from None
    if "error" in said:
        raise faulty(source, said)
    return said


def check_readable() -> None:
    """Nothing, where rows can be read.

    Raises:
        HubExpertError: `datasets` is not installed.
    """
    if not can_read_rows():
        message = "Rows are read with the library `datasets`, which is not installed."
        raise HubExpertError(message, fix="pip install 'hubexpert[train]'")


def environment() -> dict[str, str]:
    """The script's; the address is the client's, which has no slash at its end: `datasets` would keep it."""
    return {**os.environ, **PLAIN, "HF_ENDPOINT": constants.ENDPOINT, "PYTHONIOENCODING": "utf-8"}


def faulty(source: Source, said: dict[str, Any]) -> SourceError:
    """The error that the script tells of."""
    return unreadable(source, clean(said["error"], longest=160), "failing" if said.get("passing") else "broken")


def unreadable(source: Source, why: str, kind: Literal["broken", "failing"]) -> SourceError:
    """The error of a dataset whose rows cannot be read."""
    message = f"The rows of {source.repo} could not be read: {why.rstrip('.')}."
    return SourceError(message, fix="leave it out", kind=kind)
