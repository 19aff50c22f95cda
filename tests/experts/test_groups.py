"""The search for groups, where there are too many to enumerate, against the enumeration."""

import math
import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hubexpert.experts.groups import MOST_GROUPS, alike, compare_groups, enumerate_groups, search_groups

KINDS = ("independent", "vectors", "families", "ties", "unlike")
Floats = NDArray[np.float64]


def a_table(random: np.random.Generator, members: int, kind: str) -> tuple[list[float], Floats, list[float]]:
    """Sums of ranks of a shortlist out of a larger pool, cosines of some kind, and perplexities."""
    pool = members + int(random.integers(0, 2 * members))
    first = random.permutation(pool) + 1
    noise = random.normal(0, random.choice([0.2, 10]) * pool, pool)  # the two ranks agree, or hardly
    second = np.argsort(np.argsort(first + noise)) + 1
    sums = np.sort(first + second)[:members].astype(float)
    if kind == "vectors":
        vectors = random.normal(size=(members, 6))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = vectors @ vectors.T
    elif kind == "families":
        family = random.integers(0, max(2, members // 3), members)
        cosines = np.where(family[:, None] == family, 0.6, 0.05) + random.normal(0, 0.02, (members, members))
    elif kind == "ties":
        cosines = random.integers(0, 4, (members, members)) / 10
    elif kind == "unlike":
        cosines = np.where(random.random((members, members)) < 0.1, 0.3, 0.0)
    else:
        cosines = random.random((members, members))
    cosines = np.triu(cosines, 1)
    return sums.tolist(), cosines + cosines.T + np.eye(members), random.random(members).tolist()


def slow_best(sums: list[float], cosines: Floats, perplexities: list[float], count: int) -> tuple[int, ...]:
    """Every group, its rank counted one by one."""
    groups = list(combinations(range(len(sums)), count))
    summed = [sum(round(1e6 * cosines[i][j]) for i, j in combinations(group, 2)) for group in groups]

    def key(index: int) -> tuple[float, float, tuple[int, ...]]:
        less, same = sum(s < summed[index] for s in summed), sum(s == summed[index] for s in summed)
        total = sum(sums[i] for i in groups[index]) + less + (same + 1) / 2
        return total, round(sum(perplexities[i] for i in groups[index]), 9), groups[index]

    return groups[min(range(len(groups)), key=key)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_enumeration_agrees_with_counting_ranks_one_by_one(kind: str, seed: int) -> None:
    """The slow, obvious reference."""
    random = np.random.default_rng(seed)
    members = int(random.integers(2, 10))
    count = int(random.integers(1, members + 1))
    sums, cosines, perplexities = a_table(random, members, kind)
    compared = enumerate_groups(sums, cosines.tolist(), count)
    assert compared.best(perplexities) == slow_best(sums, cosines, perplexities, count)
    assert not compared.beyond(compared.groups).any()


def test_search_finds_what_enumeration_finds_in_nearly_all_tables() -> None:
    """The objective of the searched group is, by enumeration, the least in 95 % of tables, and near it in the rest."""
    random = np.random.default_rng(0)
    gaps = []
    for index in range(200):
        members = int(random.integers(4, 19))
        count = int(random.integers(1, min(members - 1, 8) + 1))
        sums, cosines, perplexities = a_table(random, members, KINDS[index % len(KINDS)])
        exact = enumerate_groups(sums, cosines.tolist(), count)
        best, found = (
            np.array([compared.best(perplexities)])
            for compared in (exact, search_groups(sums, cosines.tolist(), count))
        )
        gaps.append((exact.totals(found)[0] - exact.totals(best)[0]) / len(exact.groups))
    assert min(gaps) == 0
    assert np.mean(np.array(gaps) == 0) >= 0.95
    assert max(gaps) < 0.02, "of all ranks of diversity"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), st.integers(3, 9))
def test_the_most_diverse_groups_met_are_those_of_all(seed: int, kind: str, members: int) -> None:
    """Whatever is met is a group, met once; none of those enumerated is more diverse than the first."""
    random = np.random.default_rng(seed)
    count = int(random.integers(1, members + 1))
    sums, cosines, _ = a_table(random, members, kind)
    exact, searched = (made(sums, cosines.tolist(), count) for made in (enumerate_groups, search_groups))
    rows = [tuple(group) for group in searched.groups.tolist()]
    assert len(set(rows)) == len(rows)
    assert set(rows) <= {tuple(group) for group in exact.groups.tolist()}
    assert (searched.alike == alike(searched.groups, searched.cosines)).all()
    assert (np.diff(searched.alike) >= 0).all()
    assert searched.alike[0] == exact.alike.min() or kind == "unlike"


def test_order_of_the_members_changes_nothing() -> None:
    """Renumbering the shortlist renumbers the group and changes no more."""
    random = np.random.default_rng(3)
    sums, cosines, perplexities = a_table(random, 40, "vectors")
    turned = random.permutation(40)
    first = search_groups(sums, cosines.tolist(), 6).best(perplexities)
    second = search_groups([sums[i] for i in turned], cosines[np.ix_(turned, turned)].tolist(), 6)
    assert sorted(turned[i] for i in second.best([perplexities[i] for i in turned])) == sorted(first)


def test_up_to_a_hundred_thousand_groups_are_enumerated() -> None:
    """Beyond, they are searched, and the comparison says so."""
    sums, cosines, _ = a_table(np.random.default_rng(0), 25, "vectors")
    assert compare_groups(sums[:24], cosines[:24, :24].tolist(), 5).search == "exact"
    assert math.comb(25, 6) > MOST_GROUPS > math.comb(24, 5)
    assert compare_groups(sums, cosines.tolist(), 6).search == "greedy-with-swap"


def test_many_unlike_adapters_are_chosen_by_their_ranks() -> None:
    """Where all groups are equally diverse, as without a common module, the sums of ranks decide alone."""
    sums = [float(2 * i) for i in range(60)]
    compared = search_groups(sums, np.eye(60).tolist(), 8)
    assert compared.best([1.0] * 60) == tuple(range(8))


def test_eight_of_two_hundred_take_less_than_ten_seconds() -> None:
    """5.5·10¹³ groups; the same again each time."""
    sums, cosines, perplexities = a_table(np.random.default_rng(0), 200, "vectors")
    begun = time.process_time()
    compared = compare_groups(sums, cosines.tolist(), 8)
    best = compared.best(perplexities)
    assert time.process_time() - begun < 10
    assert compared.search == "greedy-with-swap"
    assert len(set(best)) == 8
    assert best == compare_groups(sums, cosines.tolist(), 8).best(perplexities)
    every = np.array([[*best[:out], other, *best[out + 1 :]] for out in range(8) for other in {*range(200)} - {*best}])
    swaps = np.sort(every, axis=1)
    known = ~compared.beyond(swaps)
    assert known.any()
    assert (compared.totals(swaps[known]) >= compared.totals(np.array([best]))).all(), "no swap makes it better"
