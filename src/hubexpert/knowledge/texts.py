"""The texts of a source, one after another: of a column of its rows, or of whole files."""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.escape import clean
from hubexpert.hub.streaming import LOOKED_UP, cut
from hubexpert.knowledge.sources import files_of
from hubexpert.recipe import ROWS, is_folder
from hubexpert.records import Source
from hubexpert.rows.local import lines, parsed
from hubexpert.rows.raw import texts_of

TITLE = "title"  # the column whose text stands over the passages, where there is one
TRIED = 1000  # rows without a text after which the column is not looked for any longer
SHOWN = 20  # columns that are named
WHOLE = 1 << 26  # bytes of a file of plain text that are read

Told = tuple[Mapping[str, str], Sequence[str]]  # column -> text, of those that were asked for; names of all


@dataclass(frozen=True)
class Text:
    """What is cut into passages.

    Attributes:
        row: its number in the source, from 0.
        title: empty where there is none.
        text: as it stands; empty where a row has none.
    """

    row: int
    title: str
    text: str


def texts(source: Source, column: str, beside: Path, begin: int = 0) -> Iterator[Text]:
    """The texts of a source from the row `begin` on, also those that are empty, streamed.

    A row is a row of the dataset, a line of a file of rows, or a file of plain text; lines that hold no JSON object
    are empty. Nested columns are named by their path with dots, of a list the texts stand one a line.

    Args:
        source: pinned by `pinned`.
        column: of rows, that holds the text.
        beside: where paths count from: the recipe's folder.
        begin: the number of the first row; those before are passed over.

    Raises:
        SourceError: the rows of a dataset cannot be read.
        HubExpertError: no row has such a column, or a file cannot be read.
    """
    found, choices = begin > 0, dict[str, None]()
    rows = _files(source, column, beside) if is_folder(source.repo) else _hub_rows(source, column, begin)
    for row, told in rows:
        if row < begin:
            continue
        if isinstance(told, str):
            found = True
            yield Text(row, "", told)
            continue
        values, names = told
        text = values.get(column, "")
        found = found or bool(text)
        if not found:
            choices |= dict.fromkeys(names)
            if row >= TRIED:
                break
        yield Text(row, values.get(TITLE, ""), text)
    if not found:
        raise _no_column(source, column, choices)


def _no_column(source: Source, column: str, choices: Iterable[str]) -> HubExpertError:
    named = ", ".join(clean(name, longest=60) for name in islice(choices, SHOWN))
    if not named:
        return HubExpertError(f"{source.repo} holds no rows.", fix="correct `data.knowledge.sources`")
    return HubExpertError(
        f"The rows of {source.repo} have no text in a column `{clean(column)}`.",
        fix=f"set `data.knowledge.column` to one of its columns: {named}",
    )


def _asked(column: str) -> tuple[str, ...]:
    """The columns that are read: the one by its name, the one that it lies in, and the title."""
    return (column, column.partition(".")[0], TITLE)


def _hub_rows(source: Source, column: str, begin: int) -> Iterator[tuple[int, Told]]:
    with hub.every_row(source, _asked(column), begin) as stream:
        if stream:
            for row, columns in stream.rows:
                yield row, (texts_of(columns, stream.classes), stream.columns)


def _files(source: Source, column: str, beside: Path) -> Iterator[tuple[int, Told | str]]:
    row = 0
    for path in files_of(source.repo, beside):
        try:
            for told in _rows(path, column) if path.name.endswith(ROWS) else [_whole(path)]:
                yield row, told
                row += 1
        except (OSError, EOFError, zlib.error) as error:
            raise HubExpertError(f"{path} cannot be read.", fix="write it anew, or leave it out") from error


def _rows(path: Path, column: str) -> Iterator[Told]:
    for line, whole in lines(path):
        row: dict[str, Any] = parsed(line) if whole else {}
        if row == {"text": line}:
            row = {}  # a stray line is no knowledge
        kept = {name: row[name] for name in dict.fromkeys(_asked(column)) if name in row}
        yield texts_of(cut(kept, LOOKED_UP)[0], {}), list(row)


def _whole(path: Path) -> str:
    packed = path.name.endswith(".gz")
    with cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb") as file:
        return file.read(WHOLE).removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
