"""A map of the rows: where the shots lie, which rows were taken, and the others."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hubexpert.figures import ACCENT, HARM, PALE, new_figure
from hubexpert.records import DataMap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Vectors = NDArray[np.float32]
MOST = 3000  # points that are drawn


def on_plane(shots: Vectors, taken: Vectors, others: Vectors, *, digest: str) -> DataMap:
    """The vectors on the plane of their two widest directions, at most 3,000 points, to four decimals.

    Args:
        shots: [k, d].
        taken: of the rows that are trained on, [n, d].
        others: of the rest, [m, d]: refused, or not close enough.
        digest: of all that is trained on.
    """
    shots, taken, others = _thinned(shots, taken, others)
    placed, share = plane(np.concatenate([shots, taken, others]))
    groups = np.split(placed.round(4) + 0.0, [len(shots), len(shots) + len(taken)])  # + 0.0: no minus before a zero
    named = dict(zip(("shots", "taken", "others"), (group.tolist() for group in groups), strict=True))
    return DataMap.model_validate({"digest": digest, "share": share, **named})


def data_map(placed: DataMap) -> "Figure":
    """The map as a figure, to be written by `figures.save`; the title says what share of the variance it shows."""
    on_shots, on_taken, on_others = (
        np.array(group).reshape(-1, 2) for group in (placed.shots, placed.taken, placed.others)
    )
    figure = new_figure(8.6, 4.4)
    axes = figure.subplots()
    axes.scatter(on_others[:, 0], on_others[:, 1], s=9, color=PALE, linewidth=0, alpha=0.8, label="others")
    axes.scatter(on_taken[:, 0], on_taken[:, 1], s=13, color=ACCENT, linewidth=0, alpha=0.6, label="taken")
    axes.scatter(on_shots[:, 0], on_shots[:, 1], s=58, color=HARM, marker="^", edgecolor="white", label="shots")
    axes.set_title(f"the rows around the shots: {100 * placed.share:.0f} % of the variance")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.04)
    axes.legend(frameon=False, reverse=True, loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=1.2)
    return figure


def _thinned(shots: Vectors, taken: Vectors, others: Vectors) -> tuple[Vectors, Vectors, Vectors]:
    """At most 300 shots, half of all points taken rows, and of the others, evenly, as many as there is room for."""
    shots, taken = _evenly(shots, MOST // 10), _evenly(taken, MOST // 2)
    return shots, taken, _evenly(others, MOST - len(shots) - len(taken))


def _evenly(vectors: Vectors, count: int) -> Vectors:
    count = min(count, len(vectors))
    return vectors[[place * len(vectors) // count for place in range(count)]]


def plane(vectors: Vectors) -> tuple[NDArray[np.float64], float]:
    """The vectors on their first two principal components, [rows, 2], and the share of the variance that these hold.

    Each component points to where its largest entry is positive, so that a map is never mirrored by chance.

    Args:
        vectors: [rows, d].
    """
    centred = vectors.astype(np.float64)
    centred = centred - (centred.mean(axis=0) if len(centred) else 0.0)
    # the components are the eigenvectors of [d, d], which is small however many rows there are
    values, directions = np.linalg.eigh(centred.T @ centred)
    first = directions[:, ::-1][:, :2]
    first = first * np.sign(first[np.abs(first).argmax(axis=0), range(first.shape[1])])
    placed = np.zeros((len(centred), 2))
    placed[:, : first.shape[1]] = centred @ first
    total = float(values.sum())
    return placed, float(values[::-1][:2].sum()) / total if total > 1e-12 else 1.0
