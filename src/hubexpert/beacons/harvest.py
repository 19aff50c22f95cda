"""Examples filtered and weighted by the base's distance from each."""

from collections.abc import Sequence

from hubexpert.beacons.filtering import keep
from hubexpert.beacons.weighting import weights
from hubexpert.recipe import BeaconsSection
from hubexpert.records import TrainingExample


def shaped(
    examples: Sequence[TrainingExample], distances: Sequence[float], section: BeaconsSection, *, all_stay: bool
) -> tuple[tuple[TrainingExample, ...], tuple[TrainingExample, ...]]:
    """The examples that stay, each with its distance and weight, and those that do not.

    The examples of one method are one group: what stays of it, and with what weight, hangs on no other method.

    Args:
        examples: of one method, or the shots.
        distances: of the base's own answer from each.
        section: how many stay, and how far weights go.
        all_stay: none is left out, as of shots.
    """
    told = [each.model_copy(update={"distance": d}) for each, d in zip(examples, distances, strict=True)]
    staying = list(range(len(told))) if all_stay else keep(distances, ratio=section.keep, spread=section.spread)
    weighted = zip(staying, weights([distances[i] for i in staying], strength=section.strength), strict=True)
    kept = tuple(told[i].model_copy(update={"weight": weight}) for i, weight in weighted)
    left = {*range(len(told))} - {*staying}
    return kept, tuple(told[i] for i in sorted(left))
