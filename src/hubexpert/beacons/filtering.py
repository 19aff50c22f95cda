"""Which examples stay: a set whose mean distance is small, and whose distances are widely spread."""

from collections.abc import Sequence

import numpy as np


def keep(distances: Sequence[float], *, ratio: float, spread: float) -> list[int]:
    """The places of the examples that stay, in order: round(ratio · n), at least one, of n.

    One after the other the example is left out without which mean(d) - spread · std(d) of the rest is least; of equals
    the last one. That is greedy: a larger set might exist that no single removals reach.

    Args:
        distances: of each example, 0 to 2.
        ratio: the share that stays, above 0.
        spread: β, what a standard deviation counts against the mean.
    """
    d = np.asarray(distances, dtype=np.float64)
    places = np.arange(len(d))
    for _ in range(len(d) - min(len(d), max(1, round(ratio * len(d))))):
        mean = (d.sum() - d) / (len(d) - 1)
        centred = d - d.mean()  # the variance of the rest, from what leaving one out takes away
        squares = (centred**2).sum() - centred**2 * len(d) / (len(d) - 1)
        objective = mean - spread * np.sqrt(np.maximum(squares, 0) / (len(d) - 1))
        # what differs by rounding is equal
        last = int(np.flatnonzero(objective <= objective.min() + 1e-12)[-1])
        d, places = np.delete(d, last), np.delete(places, last)
    return [int(place) for place in places]
