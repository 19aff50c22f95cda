"""What training did to the distances: the beacon, and what was pushed away from it."""

from collections.abc import Sequence
from statistics import fmean

from hubexpert.records import Beacons

CLOSER = 1e-4  # a distance that differs by less has not moved


def moved(before: Sequence[float], after: Sequence[float]) -> Beacons:
    """Mean distance of a model's answers from the gold ones before and after training, and the share pushed away.

    Args:
        before: the base's distances, one for each example.
        after: those of the trained model, in the same order.
    """
    away = sum(later > earlier + CLOSER for earlier, later in zip(before, after, strict=True))
    return Beacons(
        examples=len(before),
        before=round(fmean(before), 6),
        after=round(fmean(after), 6),
        away=round(away / len(before), 6),
    )
