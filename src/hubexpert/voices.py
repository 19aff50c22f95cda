"""Which expert spoke where, as coloured text: its colours and pieces, and the text for a terminal.

Every token has the colour of the expert that it listens to most, the paler the nearer that expert's share is to the
even one. Texts are strangers': nothing in them reaches a terminal as a command.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hubexpert.escape import MOST_MARKS
from hubexpert.figures import short_name
from hubexpert.records import TokenShares

if TYPE_CHECKING:
    from rich.text import Text

# Okabe and Ito's colours, which all kinds of colour-blindness tell apart; more than seven experts share the grey one
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
OTHERS = "#8d99a6"
FAINTEST = 0.12  # how much of its colour a token has whose expert has no more than the even share
NEWLINE = "↵"


class Cell(NamedTuple):
    """A piece of text without line breaks on its paper; `ends`: a line ends here."""

    text: str
    paper: str
    ink: str
    ends: bool


@dataclass(frozen=True)
class Voices:
    """Examples as coloured text: a colour and a label an expert, what pale and full mean, and titled parts."""

    legend: tuple[tuple[str, str], ...]
    scale: str
    parts: tuple[tuple[str, tuple[Cell, ...]], ...]


def voices(told: Sequence[TokenShares], names: Sequence[str]) -> Voices:
    """The examples as coloured text, prompts and answers.

    Args:
        told: what `moe.spoken.spoken` tells.
        names: the experts', in the mixture's order.
    """
    palette, even = _palette(told, len(names)), 1 / max(1, len(names))
    top = max((max(shares) for one in told for shares in one.shares), default=1.0)
    parts = []
    for one in told:
        for title, part in (
            (f"example {one.example + 1}, prompt", slice(0, one.answer)),
            ("answer", slice(one.answer, None)),
        ):
            parts.append((title, tuple(_cells(one.tokens[part], one.shares[part], palette, even, top))))
    scale = f"full colour: a share of {100 * top:.0f} %; palest: an even share, {100 * even:.0f} %"
    return Voices(tuple(_legend(palette, names)), scale, tuple(parts))


def voices_text(told: Sequence[TokenShares], names: Sequence[str]) -> "Text":
    """The examples as coloured text for a terminal, to be printed by `rich`, with a legend; arguments as `voices`."""
    from rich.text import Text

    shown, text = voices(told, names), Text()
    for colour, label in shown.legend:
        text.append("  ", style=f"on {colour}").append(f" {label}\n")
    text.append(f"{shown.scale}\n", style="dim")
    for title, cells in shown.parts:
        text.append(f"\n{title}\n", style="bold")
        for cell in cells:
            text.append(cell.text, style=f"{cell.ink} on {cell.paper}").append("\n" if cell.ends else "")
        text.append("\n")
    return text


def _cells(
    tokens: Sequence[str], heard: Sequence[tuple[float, ...]], palette: dict[int, str], even: float, top: float
) -> Iterator[Cell]:
    """Every token's text, cut after line breaks, on its expert's colour; an arrow at breaks, U+FFFD for what is odd."""
    marks = 0  # combining marks in a row; a tower of them would climb out of its line
    for text, shares in zip(tokens, heard, strict=True):
        expert = dominating(shares)
        louder = (shares[expert] - even) / (top - even) if top > even else 0.0
        depth = FAINTEST + (1 - FAINTEST) * min(1.0, max(0.0, louder))
        paper = _mixed(palette.get(expert, OTHERS), depth)
        lines = text.split("\n")
        for place, part in enumerate(lines):
            ends = place < len(lines) - 1
            shown = ""
            for character in part:
                marks = marks + 1 if is_mark(character) else 0
                shown += _visible(character) if marks <= MOST_MARKS else ""
            if shown or ends:
                yield Cell(shown + NEWLINE * ends, paper, _ink_on(paper), ends)


def _visible(character: str) -> str:
    if character == "\t":
        return " "
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"


def is_mark(character: str) -> bool:
    """Whether it stands on the character before it."""
    return unicodedata.category(character) in ("Mn", "Me")


def dominating(shares: Sequence[float]) -> int:
    """The expert with the largest share, the first of equals."""
    return max(range(len(shares)), key=lambda expert: shares[expert])


def _palette(told: Sequence[TokenShares], experts: int) -> dict[int, str]:
    """A colour each for the experts, of more than seven for those that dominate most; the others have none."""
    counted = Counter(dominating(shares) for one in told for shares in one.shares)
    most = sorted(range(experts), key=lambda expert: (-counted[expert], expert))[: len(COLOURS)]
    return dict(zip(sorted(most), COLOURS, strict=False))


def _legend(palette: dict[int, str], names: Sequence[str]) -> list[tuple[str, str]]:
    entries = [(colour, f"{expert + 1}  {short_name(names[expert])}") for expert, colour in palette.items()]
    others = len(names) - len(palette)
    return (
        [*entries, (OTHERS, f"the {others} others")] if others > 1 else [*entries, *((OTHERS, "the other"),) * others]
    )


def _mixed(colour: str, depth: float) -> str:
    """So much of the colour on white."""
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(255 + depth * (part - 255)):02x}" for part in parts)


def _ink_on(paper: str) -> str:
    """Black or white, whichever can be read there: by relative luminance, as WCAG 2 reckons it."""
    channels = [int(paper[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#ffffff"
