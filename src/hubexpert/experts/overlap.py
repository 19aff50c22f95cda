"""Which examples stand in the rows of a dataset: whole, or with a long piece of theirs."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hubexpert import hub
from hubexpert.discover.data.verdict import config_read
from hubexpert.recipe import is_folder
from hubexpert.records import DatasetCandidate, Example

LONG, SHORT = 13, 8  # words of a piece: of inputs that have as many, and of shorter ones
FEWEST = 4  # words of an input: `yes please` stands anywhere
COMMON = 3  # a piece of so many different inputs is a form they share, and no trace of any of them
LONGEST = 100_000  # characters of a row that are looked at
UNREADABLE = ("gated", "private", "missing", "too-large", "not-looked-up")  # verdicts on datasets
MOST = 5  # datasets of which rows are read
MOST_ROWS = 20_000  # of each
LINE = 1 << 22  # characters of a line of a file that are read
# A letter of a script that is written without spaces is a word of its own: kana, Han, Thai, Lao, Khmer, Myanmar.
WORD = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿฀-໿ក-៿က-႟]|[^\W_぀-ヿ㐀-䶿一-鿿豈-﫿฀-໿ក-៿က-႟]+")
Words = tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """What rows hold of examples.

    Attributes:
        rows: how many were read.
        verbatim: the places of the examples whose whole input stands in a row.
        partial: of those with a piece in a row, 13 words long (8 of an input of less than 13), and not the whole input.
    """

    rows: int
    verbatim: frozenset[int]
    partial: frozenset[int]


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
        shots_partly: of how many further shots a piece does.
        test_partly: of how many further held-out examples.
    """

    dataset: str
    cited_by: tuple[str, ...]
    unread: str | None
    rows: int = 0
    shots: int = 0
    test: int = 0
    shots_partly: int = 0
    test_partly: int = 0


def words(text: str) -> Words:
    """The words of a text as they are compared, without regard to case, white space, punctuation, forms of letters."""
    return tuple(WORD.findall(_normal(text)))


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def overlap(examples: Sequence[Example], rows: Iterable[Sequence[str]]) -> Overlap:
    """Which examples' inputs stand in the rows; the rows are streamed, only the examples are held in memory.

    An input of 8 words or more may stand anywhere in a row, one of 4 to 7 has to be one of its lines, or several in
    sequence; shorter ones are not looked for. Pieces that three inputs share are left out.

    Args:
        examples: the shots, or the held-out examples.
        rows: the texts of each row, in order.
    """
    traces = _traces([words(example.input) for example in examples])
    verbatim: set[int] = set()
    partial: set[int] = set()
    count = 0
    for texts in rows:
        count += 1
        told = _normal("\n".join(texts)[:LONGEST])[:LONGEST]  # one character may unfold to eighteen
        lines = [tuple(found) for line in told.split("\n") if (found := WORD.findall(line))]
        verbatim |= traces.short_ones(lines)
        row = tuple(word for line in lines for word in line)
        for size in traces.sizes:
            for place in range(len(row) - size + 1):
                key = hash(row[place : place + size])
                partial |= traces.pieces.get(key, frozenset())
                verbatim |= traces.long_ones(key, row, place)
    return Overlap(count, frozenset(verbatim), frozenset(partial - verbatim))


@dataclass(frozen=True)
class _Traces:
    """What is looked for in rows.

    Attributes:
        short: input of 4 to 7 words -> its examples.
        anchors: of a longer one, the hash of its rarest piece -> input, place of the piece in it.
        pieces: hash of a piece -> the examples that it is a trace of.
        held: input -> its examples.
    """

    short: dict[Words, set[int]]
    anchors: dict[int, list[tuple[Words, int]]]
    pieces: dict[int, frozenset[int]]
    held: dict[Words, set[int]]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The lengths of pieces that are looked for."""
        return tuple({_size(held) for held in self.held if len(held) >= SHORT})

    def short_ones(self, lines: Sequence[Words]) -> set[int]:
        """The examples of short inputs that are a line, or several in sequence."""
        found: set[int] = set()
        for start in range(len(lines) if self.short else 0):
            run: Words = ()
            for line in lines[start : start + SHORT]:
                run += line
                if len(run) >= SHORT:
                    break
                found |= self.short.get(run, set())
        return found

    def long_ones(self, key: int, row: Words, place: int) -> set[int]:
        """The examples of longer inputs whose rarest piece stands at this place of the row, with the rest around it."""
        found: set[int] = set()
        for held, offset in self.anchors.get(key, ()):
            start = place - offset
            if start >= 0 and row[start : start + len(held)] == held:
                found |= self.held[held]
        return found


def _size(held: Words) -> int:
    return LONG if len(held) >= LONG else SHORT


def _traces(inputs: Sequence[Words]) -> _Traces:
    held: dict[Words, set[int]] = {}
    for index, found in enumerate(inputs):
        held.setdefault(found, set()).add(index)
    holders: dict[int, set[Words]] = {}
    hashes: dict[Words, list[int]] = {}
    for found in held:
        if len(found) >= SHORT:
            size = _size(found)
            hashes[found] = [hash(found[place : place + size]) for place in range(len(found) - size + 1)]
            for key in hashes[found]:
                holders.setdefault(key, set()).add(found)
    anchors: dict[int, list[tuple[Words, int]]] = {}
    for found, keys in hashes.items():
        place = min(range(len(keys)), key=lambda p: (len(holders[keys[p]]), p))
        anchors.setdefault(keys[place], []).append((found, place))
    pieces = {
        key: frozenset(index for found in sharing for index in held[found])
        for key, sharing in holders.items()
        if len(sharing) < COMMON
    }
    return _Traces({found: held[found] for found in held if FEWEST <= len(found) < SHORT}, anchors, pieces, held)


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
                shots_partly=sum(index < len(shots) for index in both.partial),
                test_partly=sum(index >= len(shots) for index in both.partial),
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
