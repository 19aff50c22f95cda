"""How alike the shortlist's adapters are, as a picture: lines for a terminal, or a figure."""

from pathlib import Path
from typing import TYPE_CHECKING

from hubexpert.errors import HubExpertError, first_line
from hubexpert.escape import clean
from hubexpert.figures import ACCENT, INK, new_figure, save, short_name
from hubexpert.records import Selection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_DRAWN = 40  # adapters in a figure; of more, names and numbers cannot be read
MOST_NUMBERED = 20  # up to so many the cells hold their cosines
SHADES = " ░▒▓█"
CELL, LABEL, NAME = 4, 7, 12  # characters of a cell, of a row's number, and at least of its name


def heat_lines(selection: Selection, *, width: int, shaded: bool) -> list[str]:
    """The cosines of the shortlist in hundredths, one line an adapter; numbers are places, `*` marks the chosen.

    Args:
        selection: what was chosen.
        width: characters of a line; what does not fit is left out, of adapters as `drawn` says.
        shaded: put a block behind each number, the darker the more alike.
    """
    places = drawn(selection, max(1, (width - LABEL - NAME) // CELL))
    top = _most_alike(selection, places)
    lines = [" " * LABEL + "".join(f"{place + 1:>{CELL - 1}} " for place in places)]
    for row in places:
        cells = [
            "  · " if row == column else _cell(selection.similarity[row][column], top, shaded) for column in places
        ]
        mark, name = "*" if selection.pool[row].chosen else " ", clean(selection.pool[row].source.repo)
        lines.append(f"{mark} {row + 1:>{LABEL - 2}}{''.join(cells)} {name}"[:width])
    return lines


def _cell(cosine: float, top: float, shaded: bool) -> str:
    shade = SHADES[min(len(SHADES) - 1, int(len(SHADES) * max(0.0, cosine) / top))] if shaded else " "
    return f"{round(100 * cosine):>{CELL - 1}}{shade}"


def drawn(selection: Selection, most: int) -> list[int]:
    """The places of `most` adapters of the shortlist in order: the chosen first of all, then the best."""
    places = range(len(selection.similarity))
    return sorted(sorted(places, key=lambda place: not selection.pool[place].chosen)[:most])


def _most_alike(selection: Selection, places: list[int]) -> float:
    """The largest cosine of two different adapters, at least a hundredth: where shades end."""
    return max([0.01, *(selection.similarity[i][j] for i in places for j in places if i != j)])


def draw_heatmap(selection: Selection, path: Path) -> None:
    """Write the cosines of the shortlist, or of 40 of it, as a PNG.

    Raises:
        HubExpertError: the file cannot be written.
    """
    try:
        save(lambda: heatmap(selection), path)
    except OSError as error:
        raise HubExpertError(
            f"The figure cannot be written to {path}: {first_line(error)}.", fix="name another file with --figure"
        ) from error


def heatmap(selection: Selection) -> "Figure":
    """The cosines of the shortlist; numbers are places, the chosen stand out."""
    places = drawn(selection, MOST_DRAWN)
    top = _most_alike(selection, places)
    table = [[float("nan") if i == j else selection.similarity[i][j] for j in places] for i in places]
    names = [f"{short_name(selection.pool[place].source.repo)}  {place + 1}" for place in places]
    side = max(2.2, 0.6 + 0.3 * len(places))
    figure = new_figure(1.06 * side + 0.7 + 0.085 * max(map(len, names)), side + 0.6)
    axes = figure.subplots()
    low = min(0.0, *(selection.similarity[i][j] for i in places for j in places))
    image = axes.imshow(table, aspect="auto", cmap="YlGnBu", vmin=low, vmax=top)
    axes.set_yticks(range(len(places)), names)
    axes.set_xticks(range(len(places)), [str(place + 1) for place in places])
    axes.xaxis.tick_top()
    for place, *labels in zip(places, axes.get_yticklabels(), axes.get_xticklabels(), strict=True):
        for label in labels:
            label.set(color=ACCENT if selection.pool[place].chosen else INK)
            label.set(weight="bold" if selection.pool[place].chosen else "normal")
    if len(places) <= MOST_NUMBERED:
        for i, row in enumerate(table):
            for j, cosine in enumerate(row):
                if i != j:
                    colour = "white" if cosine - low > 0.5 * (top - low) else INK
                    axes.text(j, i, f"{round(100 * cosine)}", ha="center", va="center", fontsize=7.5, color=colour)
    axes.set_title("cosines, in hundredths", pad=22)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, pad=0.015, fraction=0.03, format=lambda cosine, _: f"{100 * cosine:g}")
    bar.outline.set_visible(False)
    return figure
