"""Which expert spoke where, as coloured text of the page: a class of its style for each colour, and the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hubexpert.figures import short_name
from hubexpert.records import TokenShares
from hubexpert.voices import NEWLINE, Cell, dominating, voices

MOST = 300  # tokens of an example in the table; of longer ones the end
Colour = tuple[str, str]  # paper, ink


@dataclass(frozen=True)
class Speech:
    """Examples as coloured text.

    Attributes:
        classes: of the style, a name for each colour.
        legend: class and label of each expert.
        scale: what pale and full mean.
        parts: titled texts, each of pieces: text, class, and whether a line ends behind it.
        tables: of each example a title, and its tokens with the expert that they listen to most and all shares in %.
    """

    classes: dict[Colour, str]
    legend: tuple[tuple[str, str], ...]
    scale: str
    parts: tuple[tuple[str, tuple[tuple[Markup, str, bool], ...]], ...]
    tables: tuple[tuple[str, tuple[tuple[str, str, tuple[int, ...]], ...]], ...]


def speech(told: Sequence[TokenShares], names: Sequence[str]) -> Speech:
    """The examples as coloured text and as tables; `names` are the experts', in the mixture's order."""
    if not told:
        return Speech({}, (), "", (), ())
    shown = voices(told, names)
    papers = [(colour, "#000000") for colour, _ in shown.legend]
    papers += [(cell.paper, cell.ink) for _, cells in shown.parts for cell in cells]
    classes = {colour: f"c{number}" for number, colour in enumerate(dict.fromkeys(papers))}
    return Speech(
        classes=classes,
        legend=tuple((classes[colour, "#000000"], label) for colour, label in shown.legend),
        scale=shown.scale,
        parts=tuple((title, tuple(_piece(cell, classes) for cell in cells)) for title, cells in shown.parts),
        tables=tuple(_table(one, names) for one in told),
    )


def _piece(cell: Cell, classes: dict[Colour, str]) -> tuple[Markup, str, bool]:
    return Markup.escape(cell.text), classes[cell.paper, cell.ink], cell.ends


def _table(one: TokenShares, names: Sequence[str]) -> tuple[str, tuple[tuple[str, str, tuple[int, ...]], ...]]:
    """The title, and a row a token: text, name of the loudest expert, all shares in percent."""
    first = max(0, len(one.tokens) - MOST)
    rows = []
    for token, shares in list(zip(one.tokens, one.shares, strict=True))[first:]:
        loudest = dominating(shares)
        numbers = tuple(round(100 * share) for share in shares)
        rows.append((token.replace("\n", NEWLINE), f"{loudest + 1}  {short_name(names[loudest])}", numbers))
    return f"example {one.example + 1}{', its end' if first else ''}", tuple(rows)
