"""How well passages were found: the share of the gold ones among the first k, or of what they are worth."""

from collections.abc import Collection, Sequence
from math import fsum


def recall(found: Sequence[int], gold: Collection[int], k: int) -> float:
    """The share of the gold passages that stand among the first k found.

    Raises:
        ValueError: there are no gold passages.
    """
    if not gold:
        raise ValueError("without gold passages there is no recall")
    return len(set(found[:k]) & set(gold)) / len(set(gold))


def recalls(found: Sequence[Sequence[int]], gold: Sequence[Collection[int]], k: int) -> list[float]:
    """Of every question, its recall at k."""
    return [recall(ours, theirs, k) for ours, theirs in zip(found, gold, strict=True)]


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
