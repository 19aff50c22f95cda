"""The card's figures, drawn from the lock: equal locks give equal bytes."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from hubexpert.escape import plain, shown_name
from hubexpert.lock import Lock
from hubexpert.records import Difference, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GREY, ACCENT, PALE = "#1f2933", "#7b8794", "#0b7285", "#cbd2d9"
HARM = "#c2410c"  # against ACCENT's blue-green for every kind of colour-blindness
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 9.5, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": PALE,
    "xtick.color": GREY, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 10.5, "axes.titlelocation": "left", "axes.titleweight": "bold", "axes.axisbelow": True,
    "grid.color": "#e4e7eb", "text.parse_math": False, "savefig.dpi": 160, "figure.facecolor": "white",
}  # fmt: skip


def draw(lock: Lock, folder: Path) -> tuple[str, ...]:
    """Draw all figures for which the lock has numbers into `folder`; their file names."""
    folder.mkdir(parents=True, exist_ok=True)
    found = drawings(lock)
    for name, drawing in found.items():
        save(drawing, folder / name)
    return tuple(found)


def drawings(lock: Lock) -> dict[str, Callable[[], "Figure"]]:
    """The figures for which the lock has numbers, by file name, to be drawn by `save`."""
    from hubexpert.contribution_figures import contribution_bars, share_map

    told, build = lock.report.contributions, lock.build
    found: dict[str, Callable[[], Figure] | None] = {
        "comparison.png": partial(comparison, lock),
        "shares.png": partial(share_map, build) if build.shares and build.experts else None,
        "contributions.png": partial(contribution_bars, told) if told else None,
        "pool.png": partial(pool, lock) if any(_drawable(score) for score in lock.scores.scores) else None,
    }
    return {name: drawing for name, drawing in found.items() if drawing is not None}


def save(drawing: Callable[[], "Figure"], path: Path | BytesIO) -> None:
    """Draw a figure in our style and write it as a PNG: equal figures give equal bytes."""
    import matplotlib
    from matplotlib import style

    # the reader's own matplotlibrc must not show in the picture
    with style.context(["default", STYLE], after_reset=True), matplotlib.rc_context({"backend": "agg"}):
        # no software version and no date in the file: they would make equal locks differ
        drawing().savefig(path, format="png", metadata={"Software": None})


def comparison(lock: Lock) -> "Figure":
    """Every system's score and routed minus each of them, with 95 % intervals, in one row a system."""
    systems = lock.report.systems
    figure = new_figure(8.6, 1.1 + 0.38 * len(systems))
    scores, gains = figure.subplots(1, 2, sharey=True, width_ratios=(1.15, 1))
    rows = range(len(systems))
    for row, system in zip(rows, systems, strict=True):
        colour = ACCENT if system.name == "routed" else INK
        _interval(scores, row, (system.value, system.low, system.high), colour)
    against = {difference.second: difference for difference in lock.report.differences if difference.first == "routed"}
    for row, system in zip(rows, systems, strict=True):
        if difference := against.get(system.name):
            _interval(gains, row, (difference.value, difference.low, difference.high), _gain_colour(difference), "+.1f")
    scores.set_yticks(list(rows), [plain(system.name) for system in systems])
    scores.invert_yaxis()
    scores.set_ylim(len(systems) - 0.5, -0.65)
    scores.set_title(f"{plain(systems[0].metric)}, points" if systems else "points")
    gains.set_title("routed minus the other, points")
    gains.axvline(0, color=GREY, linewidth=1)
    for axes in (scores, gains):
        axes.grid(axis="x")
        axes.tick_params(axis="both", length=0)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.12)
    return figure


def _interval(axes: "Axes", row: int, numbers: tuple[float, float, float], colour: str, form: str = ".1f") -> None:
    value, low, high = (100 * number for number in numbers)
    axes.plot([low, high], [row, row], color=colour, linewidth=2.2, alpha=0.45, solid_capstyle="round")
    axes.plot([value], [row], "o", color=colour, markersize=6)
    label = format(value, form)
    axes.annotate(label, (value, row), (0, 6), textcoords="offset points", ha="center", fontsize=8, color=colour)


def _gain_colour(difference: Difference) -> str:
    """Accent where the gain is shown, grey where it is not."""
    return ACCENT if difference.low > 0 else GREY


def pool(lock: Lock) -> "Figure":
    """The scored pool on the shots: the task's metric against perplexity; experts are numbered as in the card."""
    experts = [expert.source.repo for expert in lock.build.experts]
    drawn = {score.source.repo: score for score in lock.scores.scores if _drawable(score)}
    figure = new_figure(8.6, 3.7)
    axes = figure.subplots()
    others = [score for repo, score in drawn.items() if repo not in experts]
    if others:
        axes.scatter(*_points(others), s=34, color=PALE, edgecolor="white", label="scored, not chosen", zorder=2)
    for number, repo in enumerate(experts, start=1):
        if score := drawn.get(repo):
            label, place = f"{number}  {short_name(repo)}", (score.perplexity, 100 * score.exact_match)
            axes.scatter(*_points([score]), s=150, color=ACCENT, edgecolor="white", zorder=3, label=label)
            axes.annotate(str(number), place, ha="center", va="center", fontsize=8, color="white")
    if _drawable(lock.scores.base):
        base = _points([lock.scores.base])
        axes.scatter(*base, s=70, marker="D", color=INK, edgecolor="white", label="base", zorder=3)
    _logarithmic(axes)
    axes.set_xlabel("perplexity of the gold outputs (better to the left)")
    axes.set_ylabel(f"{plain(lock.scores.metric)}, points")
    axes.set_title(f"the pool on {lock.scores.base.n} shots")
    axes.grid()
    axes.margins(x=0.08)
    axes.set_ylim(-6, 106)
    axes.tick_params(which="both", length=0)
    axes.legend(frameon=False, fontsize=8.5, loc="center left", bbox_to_anchor=(1.01, 0.5), borderaxespad=0)
    return figure


def _logarithmic(axes: "Axes") -> None:
    """A logarithmic x axis with plain numbers: at 1, 2 and 5 of every decade while there are few decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 10_000 else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda perplexity, _: f"{perplexity:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _points(scores: Sequence[Score]) -> tuple[list[float], list[float]]:
    return [score.perplexity for score in scores], [100 * score.exact_match for score in scores]


def _drawable(score: Score) -> bool:
    """Whether a score has a place on a logarithmic axis."""
    return math.isfinite(score.perplexity) and score.perplexity > 0 and math.isfinite(score.exact_match)


def short_name(repo: str) -> str:
    """A repository's name for a figure: its last part, of long ones the beginning and the end."""
    name = plain(shown_name(repo)).rsplit("/", 1)[-1]
    return name if len(name) <= 34 else f"{name[:18]}..{name[-14:]}"


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of that size, in inches, without pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
