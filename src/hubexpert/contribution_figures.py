"""Figures of what experts contribute: Shapley values beside leave-one-out, and who is listened to where.

Each function gives a figure; `figures.save` writes it: `save(partial(share_map, build), folder / "share-map.png")`.
"""

import re
from collections.abc import Sequence
from math import ceil, nan
from statistics import fmean
from typing import TYPE_CHECKING

from hubexpert.escape import plain
from hubexpert.figures import ACCENT, GREY, HARM, new_figure, short_name
from hubexpert.records import Build, Contributions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOT_THERE = "#f1f3f5"
PANELS = 4  # in a row
STRUCK = "    (a line through a row: the expert has no weights there)"
LAYER = re.compile(r"(?:^|\.)(\d+)(?:\.|$)")
IN_ORDER = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def contribution_bars(found: Contributions) -> "Figure":
    """Every expert's Shapley value beside what is lost without it, in points, with 95 % intervals."""
    names = [f"{number}  {short_name(e.source.repo)}" for number, e in enumerate(found.experts, start=1)]
    figure = new_figure(8.6, 1.5 + 0.34 * len(names))
    shapley, alone = figure.subplots(1, 2, sharex=True, sharey=True)
    _bars(shapley, [(e.shapley, e.low, e.high) for e in found.experts])
    _bars(alone, [(e.leave_one_out, e.loo_low, e.loo_high) for e in found.experts])
    shapley.set_title("Shapley value, points")
    alone.set_title("lost without it, points")
    shapley.set_yticks(range(len(names)), names)
    shapley.set_ylim(len(names) - 0.4, -0.6)
    examples = "1 example" if found.n == 1 else f"{found.n} examples"
    figure.supxlabel(
        f"{plain(found.metric)} on {examples}: {100 * found.empty:.1f} with every expert silent, "
        f"{100 * found.whole:.1f} with all{'' if found.exact else '; by drawn orders of joining'}",
        fontsize=8.5,
        color=GREY,
    )
    return figure


def _bars(axes: "Axes", rows: Sequence[tuple[float, float, float]]) -> None:
    """A bar, its interval and its number a row; grey where the interval does not leave zero."""
    axes.axvline(0, color=GREY, linewidth=1)
    for row, numbers in enumerate(rows):
        value, low, high = (100 * number for number in numbers)
        colour = ACCENT if low > 0 else HARM if high < 0 else GREY
        axes.barh(row, value, height=0.56, color=colour, alpha=0.35, linewidth=0)
        axes.plot([low, high], [row, row], color=colour, linewidth=1.8, solid_capstyle="round")
        axes.plot([value], [row], "o", color=colour, markersize=5)
        label = "0.0" if f"{value:+.1f}" in ("+0.0", "-0.0") else f"{value:+.1f}"
        right = max(high, 0)
        axes.annotate(label, (right, row), (6, 0), textcoords="offset points", va="center", fontsize=8, color=colour)
    axes.grid(axis="x")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.margins(x=0.14)


def share_map(build: Build) -> "Figure":
    """The routing share of every expert (rows) in every layer (columns), one panel a kind of module; at least one.

    A line through a row: the expert has no weights in these modules, so that listening to it is listening to nobody.
    """
    kinds, layers, tables = kind_shares(build)
    names = [f"{number}  {short_name(e.source.repo)}" for number, e in enumerate(build.experts, start=1)]
    down = ceil(len(kinds) / PANELS)
    across = ceil(len(kinds) / down)
    figure = new_figure(8.6, 0.75 + down * (0.55 + max(0.6, 0.2 * len(names))))
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flatten().tolist()
    top = max(share for table in tables for row in table for share in row if share == share) or 1.0
    struck = False
    for axes, kind, table in zip(panels, kinds, tables, strict=False):
        image = axes.imshow(table, aspect="auto", cmap="YlGnBu", vmin=0, vmax=top, interpolation="nearest")
        axes.set_facecolor(NOT_THERE)
        axes.set_title(plain(kind), pad=4)
        for row, expert in enumerate(build.experts):
            if kind not in expert.target_modules:
                axes.plot([-0.5, len(layers) - 0.5], [row, row], color=GREY, linewidth=0.8)
                struck = True
    _label(panels, names, layers, len(kinds), across)
    figure.supxlabel(f"layer{STRUCK if struck else ''}", fontsize=8.5, color=GREY)
    bar = figure.colorbar(image, ax=panels, pad=0.015, fraction=0.03, format=lambda share, _: f"{100 * share:.0f} %")
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    return figure


def _label(panels: Sequence["Axes"], names: Sequence[str], layers: Sequence[str], kinds: int, across: int) -> None:
    """Names at the left, layers below the last panel of each column; panels without a kind vanish."""
    step = max(1, ceil(len(layers) / 6))
    for place, axes in enumerate(panels):
        axes.set_visible(place < kinds)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set_xticks(range(0, len(layers), step), layers[::step], fontsize=8)
        axes.tick_params(length=0, labelbottom=place + across >= kinds)
        axes.spines[:].set_visible(False)
        axes.set_xlim(-0.5, len(layers) - 0.5)
        axes.set_ylim(len(names) - 0.5, -0.5)


def kind_shares(build: Build) -> tuple[list[str], list[str], list[list[list[float]]]]:
    """The kinds of module, the layers, and the shares [kinds][experts][layers].

    A module's kind is the last part of its name, its layer the first number in it (`-` where there is none). Several
    modules of one kind in one layer are averaged; where a layer has none the share is NaN.
    """
    grouped: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for module, values in build.shares.items():
        number = LAYER.search(module)
        place = (module.rsplit(".", 1)[-1], number.group(1) if number else "-")
        grouped.setdefault(place, []).append(values)
    kinds = sorted({kind for kind, _ in grouped}, key=lambda k: (IN_ORDER.index(k) if k in IN_ORDER else 99, k))
    layers = sorted({layer for _, layer in grouped}, key=lambda name: (name == "-", int(name) if name != "-" else 0))
    tables = [
        [
            [fmean(values[e] for values in grouped[kind, la]) if (kind, la) in grouped else nan for la in layers]
            for e in range(len(build.experts))
        ]
        for kind in kinds
    ]
    return kinds, layers, tables
