"""Which expert spoke where, as a figure: tokens on the colour of the expert that they listen to most."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hubexpert.figures import GREY, INK, new_figure
from hubexpert.records import TokenShares
from hubexpert.voices import Cell, is_mark, voices

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LINES = 60  # of an example in a figure; of longer prompts the end is drawn
COLUMNS, POINTS = 100, 8.2  # characters of a line in the figure, and their size
ADVANCE, LINE, EDGE = 0.60205, 1.62, 12.0  # a character of DejaVu Sans Mono, a line (in sizes); the margin in points
MISSING = "□"
Piece = tuple[int, str, str | None, str, str]  # column, text, paper, ink, weight


def voices_figure(told: Sequence[TokenShares], names: Sequence[str]) -> "Figure":
    """The examples in lines of 100 characters, with a legend; what the font lacks is a box.

    Args:
        told: what `moe.spoken.spoken` tells.
        names: the experts', in the mixture's order.
    """
    shown = voices(told, names)
    rows: list[list[Piece]] = []
    for colour, label in shown.legend:
        rows.append([(0, "  ", colour, INK, "normal"), (3, label, None, INK, "normal")])
    rows.append([(0, shown.scale, None, GREY, "normal")])
    for title, cells in shown.parts:
        lines = list(_wrapped(cells))
        cut = ", its end" if len(lines) > MOST_LINES else ""
        rows += [[], [(0, f"{title}{cut}", None, INK, "bold")], *lines[-MOST_LINES:]]
    return _drawn(rows)


def _drawn(rows: Sequence[Sequence[Piece]]) -> "Figure":
    """Every character in a cell of its own size, so that papers and texts agree."""
    from matplotlib.patches import Rectangle

    wide, high = COLUMNS * POINTS * ADVANCE + 2 * EDGE, len(rows) * POINTS * LINE + 2 * EDGE  # points
    figure = new_figure(wide / 72, high / 72)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-EDGE, wide - EDGE)
    axes.set_ylim(high - EDGE, -EDGE)
    known = _known()
    for row, line in enumerate(rows):
        y = row * POINTS * LINE
        for column, text, paper, ink, weight in line:
            x = column * POINTS * ADVANCE
            if paper is not None:
                size = (len(text) * POINTS * ADVANCE, POINTS * LINE * 0.94)
                axes.add_patch(Rectangle((x, y), *size, facecolor=paper, edgecolor="white", linewidth=0.4))
            shown = "".join(c if ord(c) in known else MISSING for c in text)
            label = axes.text(x, y + POINTS * LINE * 0.72, shown, va="baseline", parse_math=False)
            label.set(family="DejaVu Sans Mono", size=POINTS, color=ink, weight=weight)
    return figure


def _known() -> set[int]:
    """The characters that the figure's font has and that stand in one cell each."""
    from matplotlib.font_manager import findfont, get_font

    return {c for c in get_font(findfont("DejaVu Sans Mono")).get_charmap() if not is_mark(chr(c))}


def _wrapped(cells: Sequence[Cell]) -> Iterator[list[Piece]]:
    """The cells in lines of at most 100 characters; a long piece is broken."""
    line: list[Piece] = []
    column = 0
    for piece, paper, ink, ends in cells:
        while piece:
            if column == COLUMNS or (column + len(piece) > COLUMNS and len(piece) <= COLUMNS):
                yield line
                line, column = [], 0
            part, piece = piece[: COLUMNS - column], piece[COLUMNS - column :]
            line.append((column, part, paper, ink, "normal"))
            column += len(part)
        if ends:
            yield line
            line, column = [], 0
    if line:
        yield line
