"""How well passages are ordered: what the first ones are worth."""

from collections.abc import Sequence
from math import fsum


def carried(worth: Sequence[float], places: Sequence[int], k: int) -> float:
    """What the first k passages are worth, as a share of what the best k are.

    Args:
        worth: of each passage, not negative, not 0 for all.
        places: of the passages, in the order found.
        k: how many count.

    Raises:
        ValueError: no passage is worth anything.
    """
    best = fsum(sorted(worth, reverse=True)[:k])  # whatever the order, equal sums are equal
    if not best > 0:
        raise ValueError("where no passage is worth anything, none can be missed")
    return fsum(worth[place] for place in places[:k]) / best
