"""The first rows of a dataset, read where a hostile or huge file cannot hold us: in a process that is ended in time."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from hubexpert.errors import HubExpertError
from hubexpert.escape import clean
from hubexpert.hub.calls import SourceError
from hubexpert.records import Source

SCRIPT = Path(__file__).with_name("streaming.py")
SECONDS = 90.0  # for one dataset
MOST_ROWS = 20_000
# The ML libraries that `datasets` would import where they are installed; rows are plain here.
PLAIN = {"USE_TORCH": "0", "USE_TF": "0", "USE_JAX": "0", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}


def can_read_rows() -> bool:
    """Whether `datasets` is installed, which `first_rows` needs."""
    return importlib.util.find_spec("datasets") is not None


def first_rows(
    source: Source, config: str | None, split: str | None, n: int, *, seconds: float = SECONDS
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
    if not can_read_rows():
        message = "Rows are read with the library `datasets`, which is not installed."
        raise HubExpertError(message, fix="pip install 'hubexpert[train]'")
    asked = {"repo": source.repo, "revision": source.revision, "config": config, "split": split}
    command = [sys.executable, "-P", str(SCRIPT)]
    with tempfile.TemporaryDirectory(prefix="hubexpert-rows-") as folder:
        try:
            done = subprocess.run(
                command,
                input=json.dumps({**asked, "count": min(n, MOST_ROWS)}),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                timeout=seconds,
                cwd=folder,
                env={**os.environ, **PLAIN, "PYTHONIOENCODING": "utf-8"},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _unreadable(source, f"not within {seconds:.0f} s", "failing") from None
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise _unreadable(source, "the reader was ended, it took too much memory or time", "failing") from None
    if "error" in said:
        raise _unreadable(source, clean(said["error"], longest=160), "failing" if said.get("passing") else "broken")
    return [row for row in said["rows"] if isinstance(row, dict)]


def _unreadable(source: Source, why: str, kind: Literal["broken", "failing"]) -> SourceError:
    message = f"The rows of {source.repo} could not be read: {why.rstrip('.')}."
    return SourceError(message, fix="leave it out", kind=kind)
