"""A few of many examples, drawn with a seed: any, or as many of each output as its share."""

import heapq
import random
from collections.abc import Sequence

from hubexpert.errors import HubExpertError
from hubexpert.labels import by_output
from hubexpert.shots import Line


def draw(lines: Sequence[Line], count: int, *, stratify: bool, seed: int) -> tuple[Line, ...]:
    """`count` of the examples, in the order drawn; equal arguments give equal ones.

    Args:
        lines: to draw from.
        count: how many, at least 1.
        stratify: as many of each output (in normal form) as its share of all, see `seats`. Otherwise any, the same
            ones as `task.draw` in a recipe with this seed.
        seed: of the draw.

    Raises:
        HubExpertError: there are fewer.
    """
    if count > len(lines):
        raise HubExpertError(
            f"{count} examples are to be drawn, and there are {len(lines)}.", fix=f"--k {len(lines)}, or fewer"
        )
    chance = random.Random(seed)  # noqa: S311  not for secrets
    if not stratify:
        return tuple(chance.sample(lines, count))
    groups = by_output(lines)
    names = list(groups)
    chance.shuffle(names)  # so that of labels with equal shares not the first of the file is rounded up
    taken = seats({name: len(groups[name]) for name in names}, count)
    drawn = [line for name in names for line in chance.sample(groups[name], taken[name])]
    chance.shuffle(drawn)
    return tuple(drawn)


def seats(sizes: dict[str, int], count: int) -> dict[str, int]:
    """How many of `count` examples each label gets: by largest remainders, one at least where `count` allows.

    Each gets the whole part of its share `count * size / all`, and those with the largest remainders one more; where
    `count` reaches all labels none gets less than one. That is the allocation under this bound with the least sum of
    squared differences to the shares. It is found seat by seat: the next is for the label that lacks most.

    Args:
        sizes: label -> examples there are, 1 or more; of labels that lack as much, the first comes first.
        count: 0 to all.
    """
    total = sum(sizes.values())
    given = dict.fromkeys(sizes, 1 if count >= len(sizes) else 0)
    # What a label has too much, times `total`: whole numbers, so that nothing is rounded.
    queue = [(given[name] * total - count * size, place, name) for place, (name, size) in enumerate(sizes.items())]
    heapq.heapify(queue)
    for _ in range(count - sum(given.values())):
        excess, place, name = queue[0]
        given[name] += 1
        heapq.heapreplace(queue, (excess + total, place, name))
    return given
