"""Rows of files on this machine: a folder of JSON lines, or one such file, packed by gzip or not."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from hubexpert.errors import HubExpertError
from hubexpert.hub.streaming import LEARNT, Spread, cut
from hubexpert.recipe import ROWS, is_folder
from hubexpert.records import ACCEPTED, ColumnMap, DatasetCandidate, Source
from hubexpert.workspace import contents_digest

LINE = 1 << 22  # bytes of a line that are read
# The form of our own examples: what the recipe's shots are written in.
OURS = ColumnMap(
    instruction="instruction", input=("input",), output="output", choices=("choices",), rationale="rationale"
)


def local_dataset(name: str, beside: Path, columns: ColumnMap | None = None) -> DatasetCandidate:
    """The dataset in a folder's `*.jsonl` and `*.jsonl.gz`, or in one such file.

    Args:
        name: the path, as the recipe names it; one without a beginning that tells paths from names gets `./`.
        beside: where it counts from: the recipe's folder.
        columns: which columns make an example; None: guessed from the first row.

    Raises:
        HubExpertError: there are no such files.
    """
    name = name if is_folder(name) else f"./{name}"  # no dataset on the Hub can be called so
    source = Source(repo=name, revision=contents_digest(_files(name, beside)), repo_type="dataset")
    return DatasetCandidate(repo=name, source=source, verdict=ACCEPTED, found_by=("id",), mapping=columns)


def _files(name: str, beside: Path) -> list[Path]:
    place = beside / Path(name).expanduser()
    found = sorted(path for path in place.iterdir() if path.name.endswith(ROWS)) if place.is_dir() else [place]
    if not found or not all(path.is_file() for path in found):
        raise HubExpertError(
            f"There are no rows at {place}.", fix="correct `data.datasets`: a folder of `.jsonl` files, or one file"
        )
    return found


def local_rows(name: str, beside: Path, limit: int) -> tuple[list[str], int]:
    """At most `limit` rows, spread evenly over the files, and how many there are.

    Each is JSON: `[row, columns, columns that were cut]`. A line that is no JSON object is a row of one column, `text`.

    Args:
        name: the path, as the recipe names it.
        beside: where it counts from.
        limit: how many rows.

    Raises:
        HubExpertError: there are no such files, or one is not what its name says.
    """
    kept, number = Spread(limit), -1
    for path in _files(name, beside):
        try:
            for line, whole in lines(path):
                number += 1
                if number % kept.step == 0:
                    shorter, harmed = cut(parsed(line), LEARNT)
                    harmed = harmed if whole else list(shorter)
                    kept.add(number, json.dumps([number, shorter, harmed]))
        except (OSError, EOFError, zlib.error) as error:
            raise HubExpertError(f"{path} cannot be read.", fix="write it anew, or leave it out") from error
    return kept.kept(), number + 1


def lines(path: Path) -> Iterator[tuple[str, bool]]:
    """The lines with something on them, each cut at 4 MiB, and whether it is whole."""
    packed = path.name.endswith(".gz")
    with cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb") as file:
        while line := file.readline(LINE):
            whole = rest = line
            while len(rest) == LINE and not rest.endswith(b"\n"):
                rest = file.readline(LINE)
            if line.strip():
                yield line.removeprefix(b"\xef\xbb\xbf").decode(errors="replace"), whole is rest


def parsed(line: str) -> dict[str, Any]:
    """The row that a line holds; one of the column `text` where it holds no JSON object."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    return row if isinstance(row, dict) else {"text": line}
