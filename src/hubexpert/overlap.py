"""Which examples stand in rows, and which rows hold some: whole, or with a long piece of theirs."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from hubexpert.records import Example

LONG, SHORT = 13, 8  # words of a piece: of inputs that have twice as many, and of shorter ones
FEWEST = 4  # words of an input: `yes please` stands anywhere
COMMON = 3  # a piece of so many different inputs is a form they share, and no trace of any of them
LONGEST = 100_000  # characters of a row that are looked at
# Letters of scripts that are written without spaces, each a word of its own: kana, Han, Thai, Lao, Khmer, Myanmar.
UNSPACED = "぀-ヿ㐀-䶿一-鿿豈-﫿฀-໿ក-៿က-႟"
WORD = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")
Words = tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """What rows hold of examples.

    Attributes:
        rows: how many were read.
        verbatim: the places of the examples whose whole input stands in a row.
        partial: of those with a piece in a row, 13 words long (8 of an input of less than 26), and not the whole input.
    """

    rows: int
    verbatim: frozenset[int]
    partial: frozenset[int]


def words(text: str) -> Words:
    """The words of a text as they are compared, without regard to case, white space, punctuation, forms of letters."""
    return tuple(WORD.findall(_normal(text)))


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def lines_of(texts: Sequence[str]) -> list[Words]:
    """The words of a row's texts line by line; of all together so much as is looked at."""
    told = _normal("\n".join(texts)[:LONGEST])[:LONGEST]  # one character may unfold to eighteen
    return [tuple(found) for line in told.split("\n") if (found := WORD.findall(line))]


def overlap(examples: Sequence[Example], rows: Iterable[Sequence[str]]) -> Overlap:
    """Which examples' inputs stand in the rows; the rows are streamed, only the examples are held in memory.

    An input of 8 words or more may stand anywhere in a row, one of 4 to 7 has to be one of its lines, or several in
    sequence; shorter ones are not looked for. Pieces that three inputs share are left out.

    Args:
        examples: the shots, or the held-out examples.
        rows: the texts of each row, in order.
    """
    traces = traces_of([example.input for example in examples])
    verbatim: set[int] = set()
    partial: set[int] = set()
    count = 0
    for texts in rows:
        count += 1
        whole, pieces = traces.found(lines_of(texts))
        verbatim |= whole
        partial |= pieces
    return Overlap(count, frozenset(verbatim), frozenset(partial - verbatim))


@dataclass(frozen=True)
class Traces:
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

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The lengths of pieces that are looked for."""
        return tuple({_size(held) for held in self.held if len(held) >= SHORT})

    def found(self, lines: Sequence[Words]) -> tuple[set[int], set[int]]:
        """The examples whose whole input stands in the lines of one row, and those of which a piece does."""
        verbatim, partial = self._short_ones(lines), set[int]()
        row = tuple(word for line in lines for word in line)
        for size in self.sizes:
            for place in range(len(row) - size + 1):
                key = hash(row[place : place + size])
                partial |= self.pieces.get(key, frozenset())
                verbatim |= self._long_ones(key, row, place)
        return verbatim, partial

    def _short_ones(self, lines: Sequence[Words]) -> set[int]:
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

    def _long_ones(self, key: int, row: Words, place: int) -> set[int]:
        """The examples of longer inputs whose rarest piece stands at this place of the row, with the rest around it."""
        found: set[int] = set()
        for held, offset in self.anchors.get(key, ()):
            start = place - offset
            if 0 <= start <= len(row) - len(held) and row[start : start + len(held)] == held:
                found |= self.held[held]
        return found


def _size(held: Words) -> int:
    """The words of a piece: an input that is not much longer than 13 would have hardly any of that length."""
    return LONG if len(held) >= 2 * LONG else SHORT


def traces_of(inputs: Sequence[str]) -> Traces:
    """What is looked for in rows, of examples with these inputs."""
    held: dict[Words, set[int]] = {}
    for index, found in enumerate(map(words, inputs)):
        held.setdefault(found, set()).add(index)
    long = [found for found in held if len(found) >= SHORT]
    hashes = [[hash(found[p : p + _size(found)]) for p in range(len(found) - _size(found) + 1)] for found in long]
    holders: dict[int, set[int]] = {}  # places in `long`: to hash a whole input for each of its pieces takes long
    for number, keys in enumerate(hashes):
        for key in keys:
            holders.setdefault(key, set()).add(number)
    anchors: dict[int, list[tuple[Words, int]]] = {}
    for found, keys in zip(long, hashes, strict=True):
        place = min(range(len(keys)), key=lambda p: (len(holders[keys[p]]), p))
        anchors.setdefault(keys[place], []).append((found, place))
    examples = [held[found] for found in long]
    pieces = {
        key: frozenset(index for number in sharing for index in examples[number])
        for key, sharing in holders.items()
        if len(sharing) < COMMON
    }
    return Traces({found: held[found] for found in held if FEWEST <= len(found) < SHORT}, anchors, pieces, held)
