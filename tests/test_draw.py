"""Draws are reproducible, keep lines, and are stratified as a slow reading of the rule says."""

import itertools
import random
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.draw import draw, seats
from hubexpert.errors import HubExpertError
from tests.vetting.making import lines

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=4)


def slow(sizes: list[int], count: int) -> Fraction:
    """The least sum of squared differences to the shares, over all allocations there are."""
    total, least = sum(sizes), int(count >= len(sizes))
    shares = [Fraction(count * size, total) for size in sizes]
    return min(
        sum(((share - given) ** 2 for share, given in zip(shares, givens, strict=True)), Fraction())
        for givens in itertools.product(*(range(least, size + 1) for size in sizes))
        if sum(givens) == count
    )


@settings(deadline=None, max_examples=60)
@given(SIZES, st.data())
def test_seats_are_the_nearest_to_the_shares_with_one_each_where_there_are_enough(
    sizes: list[int], data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, sum(sizes)))
    given_seats = list(seats({str(place): size for place, size in enumerate(sizes)}, count).values())
    assert sum(given_seats) == count
    assert all(seat <= size for seat, size in zip(given_seats, sizes, strict=True))
    assert min(given_seats) >= (count >= len(sizes))
    shares = [Fraction(count * size, sum(sizes)) for size in sizes]
    far = sum(((share - seat) ** 2 for share, seat in zip(shares, given_seats, strict=True)), Fraction())
    assert far == slow(sizes, count)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30), st.data())
def test_where_every_share_is_one_or_more_these_are_largest_remainders(sizes: list[int], data: st.DataObject) -> None:
    """Hamilton's method as it is told: whole parts, and one more for the largest remainders, of equals the first."""
    total = sum(sizes)
    count = data.draw(st.integers(-(-total // min(sizes)), total))
    whole = [count * size // total for size in sizes]
    remainders = sorted(range(len(sizes)), key=lambda place: (-(count * sizes[place] % total), place))
    for place in remainders[: count - sum(whole)]:
        whole[place] += 1
    assert list(seats({str(place): size for place, size in enumerate(sizes)}, count).values()) == whole


PAIRS = st.lists(st.sampled_from(["a", "b", "c", "B "]), min_size=1, max_size=25)


@settings(deadline=None)
@given(PAIRS, st.data())
def test_a_stratified_draw_has_the_seats_of_its_labels_and_nothing_twice(
    outputs: list[str], data: st.DataObject
) -> None:
    """Labels are outputs in normal form; the same seed draws the same."""
    pool = lines(*((f"question {place}", output) for place, output in enumerate(outputs)))
    count, seed = data.draw(st.integers(1, len(pool))), data.draw(st.integers(0, 5))
    drawn = draw(pool, count, stratify=True, seed=seed)
    assert drawn == draw(pool, count, stratify=True, seed=seed)
    assert len({line.number for line in drawn}) == count and set(drawn) <= set(pool)
    sizes = Counter(output.strip().lower() for output in outputs)
    got = Counter(line.example.output.strip().lower() for line in drawn)
    shares = {label: Fraction(count * size, len(pool)) for label, size in sizes.items()}
    far = sum(((share - got[label]) ** 2 for label, share in shares.items()), Fraction())
    assert far == slow(list(sizes.values()), count)


@given(st.integers(1, 40), st.integers(0, 99), st.data())
def test_any_draw_is_that_of_the_recipe_with_this_seed(size: int, seed: int, data: st.DataObject) -> None:
    """As `task.draw` draws."""
    pool = lines(*((f"question {place}", "x") for place in range(size)))
    count = data.draw(st.integers(1, size))
    assert draw(pool, count, stratify=False, seed=seed) == tuple(random.Random(seed).sample(pool, count))


def test_labels_with_equal_shares_are_rounded_up_by_chance() -> None:
    """Over many seeds each of ten labels is among the five as often as the others."""
    pool = lines(*((f"question {place}", f"label {place % 10}") for place in range(40)))
    got = Counter(line.example.output for seed in range(400) for line in draw(pool, 5, stratify=True, seed=seed))
    assert len(got) == 10 and all(140 < count < 260 for count in got.values())  # 200 each, sd 10


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(HubExpertError, match="3 examples are to be drawn, and there are 2") as error:
        draw(lines(("a", "b"), ("c", "d")), 3, stratify=False, seed=0)
    assert "--k 2" in error.value.fix
