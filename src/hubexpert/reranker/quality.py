"""How well passages were found: the share of the gold ones among the first k."""

from collections.abc import Collection, Sequence


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
