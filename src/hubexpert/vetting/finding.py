"""What is told of examples: a code, where they stand, a sentence and the way out."""

from collections.abc import Sequence
from typing import Literal

from hubexpert.escape import clean
from hubexpert.records import Record
from hubexpert.shots import Line
from hubexpert.vetting.shapes import masked

ERRORS = ("contradiction", "leak-exact", "leak-ngram")
LISTED = 8  # pieces in a sentence
LONGEST = 40  # characters of a text in a sentence


class Finding(Record):
    """Something that speaks against examples.

    Attributes:
        code: docs/shots.md says what each means.
        severity: an error spoils what is learned or measured; a warning may be as it should.
        file: where the first of the examples stands.
        lines: of that file, from 1.
        elsewhere: `file:line` of the examples in other files.
        sentence: what is wrong.
        fix: the way out.
    """

    code: str
    severity: Literal["error", "warning"]
    file: str
    lines: tuple[int, ...]
    elsewhere: tuple[str, ...] = ()
    sentence: str
    fix: str


def finding(code: str, lines: Sequence[Line], sentence: str, *, fix: str) -> Finding:
    """The finding of this code about examples, at least one."""
    first = lines[0].file
    return Finding(
        code=code,
        severity="error" if code in ERRORS else "warning",
        file=str(first),
        lines=tuple(line.number for line in lines if line.file == first),
        elsewhere=tuple(place(line) for line in lines if line.file != first),
        sentence=sentence,
        fix=fix,
    )


def place(line: Line) -> str:
    """Where the example stands."""
    return f"{line.file}:{line.number}"


def spot(line: Line, lines: Sequence[Line]) -> str:
    """The same for a sentence about these lines: short where it is their first file."""
    return f"line {line.number}" if line.file == lines[0].file else place(line)


def listed(pieces: Sequence[str]) -> str:
    """The first pieces, and how many more there are."""
    more = len(pieces) - LISTED
    return ", ".join(pieces[:LISTED]) + (f" and {more} more" if more > 0 else "")


def quoted(text: str) -> str:
    """The beginning of a stranger's text, in quotes, without what looks private in it."""
    return f'"{clean(masked(text), longest=LONGEST)}"'


def counted(number: int, noun: str) -> str:
    """`1 input`, `2 inputs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
