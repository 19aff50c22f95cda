"""The control of the choice of experts: as many adapters, chosen by nothing."""

import random
from collections.abc import Sequence

from hubexpert.records import Source


def random_group(pool: Sequence[Source], chosen: Sequence[Source], count: int, seed: int) -> tuple[Source, ...]:
    """`count` random adapters of the scored pool, the same for a seed whatever the pool's order.

    Drawn from those that were not chosen, or, where fewer than `count` are left, from all; then again and again until
    it is not the chosen group, unless there is no other.

    Raises:
        ValueError: the pool is smaller than `count`.
    """
    every = sorted(pool, key=lambda source: (source.repo, source.revision))
    left = [source for source in every if source not in chosen]
    generator = random.Random(seed)  # noqa: S311  not for secrets
    if len(left) >= count:
        return tuple(generator.sample(left, count))
    drawn = generator.sample(every, count)
    while {*drawn} == {*chosen} and count < len(every):
        drawn = generator.sample(every, count)
    return tuple(drawn)
