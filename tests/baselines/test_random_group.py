"""Random groups: who may be drawn, and that everybody is."""

from itertools import combinations

import pytest

from hubexpert.baselines.random_group import random_group
from hubexpert.records import Source

POOL = [Source(repo=f"tester/{name}", revision=f"{i:040x}") for i, name in enumerate("abcdefg")]


def drawn(pool: list[Source], chosen: list[Source], count: int) -> set[frozenset[Source]]:
    groups = [random_group(pool, chosen, count, seed) for seed in range(200)]
    assert all(len({*group}) == count for group in groups)
    return {frozenset(group) for group in groups}


def every(pool: list[Source], count: int) -> set[frozenset[Source]]:
    return {frozenset(group) for group in combinations(pool, count)}


def test_those_not_chosen_are_drawn_while_they_suffice() -> None:
    assert drawn(POOL, POOL[:3], 2) == every(POOL[3:], 2)
    assert drawn(POOL, POOL[:4], 3) == every(POOL[4:], 3)


def test_else_all_may_be_drawn_but_not_the_chosen_group() -> None:
    assert drawn(POOL[:4], POOL[:3], 3) == every(POOL[:4], 3) - {frozenset(POOL[:3])}


def test_a_pool_that_is_the_group_leaves_no_other() -> None:
    assert drawn(POOL[:3], POOL[:3], 3) == {frozenset(POOL[:3])}
    with pytest.raises(ValueError, match="larger than population"):
        random_group(POOL[:2], [], 3, 0)


def test_a_seed_draws_the_same_whatever_the_order_of_the_pool() -> None:
    assert random_group(POOL, POOL[:1], 3, 7) == random_group(POOL[::-1], POOL[:1], 3, 7)
