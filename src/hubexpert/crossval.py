"""Without held-out rows: every system is made anew without a part of the shots, and measured on that part."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from hubexpert.experts.adapted import folds
from hubexpert.records import Example, Measured
from hubexpert.shots import without_leaks

Measure = Callable[[str, tuple[Example, ...], tuple[Example, ...]], Mapping[str, Measured]]


def cross_validate(
    shots: Sequence[Example], measure: Measure, *, repeats: int, parts: int, seed: int
) -> dict[str, Measured]:
    """System -> its values, one a shot: the mean over the repetitions.

    Shots whose input occurs several times are never learned from while they are measured; a system that could not be
    made for every part (no output is the commonest, say) is left out.

    Args:
        shots: all shots.
        measure: gives every system's values on the third argument, the first one's part, after learning from the
            second; the name tells the parts apart.
        repeats: how often the shots are cut anew.
        parts: into how many parts.
        seed: of the cuts.
    """
    values: dict[str, dict[int, list[float]]] = {}
    costs: dict[str, Measured] = {}
    rounds = [(number, part) for number in range(repeats) for part in folds(len(shots), parts, seed=seed + number)]
    for place, (number, part) in enumerate(rounds):
        held_out = tuple(shots[i] for i in part)
        others = without_leaks(held_out, [shot for i, shot in enumerate(shots) if i not in part])[0]
        found = measure(f"fold-{number}-{place % parts}", others, held_out)
        for name, result in found.items():
            costs.setdefault(name, result)
            for index, value in zip(part, result.values, strict=True):
                values.setdefault(name, {}).setdefault(index, []).append(value)
    every = range(len(shots))
    return {
        name: Measured(values=tuple(fmean(told[i]) for i in every), cost=costs[name].cost)
        for name, told in values.items()
        if all(len(told.get(i, ())) == repeats for i in every)
    }
