"""Algorithm 1 against a brute-force reference written from the paper's text."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.errors import HubExpertError
from hubexpert.experts.select import best_group, ranks, select
from hubexpert.records import Score, Source


def slow_ranks(values: list[float]) -> list[float]:
    """One plus how many are smaller, plus half of the others that are equal."""
    return [1 + sum(w < v for w in values) + (sum(w == v for w in values) - 1) / 2 for v in values]


def score(index: int, exact_match: float, perplexity: float) -> Score:
    source = Source(repo=f"tester/adapter-{index:02}", revision=f"{index:040x}")
    return Score(source=source, exact_match=exact_match, perplexity=perplexity, n=10, low=0, high=1)


@given(st.lists(st.integers(0, 5).map(float), min_size=1, max_size=20))
def test_ranks_share_the_mean_among_ties(values: list[float]) -> None:
    """Average ranks, smallest first."""
    assert ranks(values) == slow_ranks(values)


tables = st.integers(2, 7).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 4).map(lambda i: i / 4), min_size=n, max_size=n),
        st.lists(st.integers(1, 5).map(float), min_size=n, max_size=n),
        st.lists(st.integers(1, 6).map(lambda i: i / 7), min_size=n * n, max_size=n * n),
        st.integers(1, n),
        st.integers(1, n),
    )
)


@settings(max_examples=200, deadline=None)
@given(tables)
def test_the_group_is_the_brute_force_minimum(
    table: tuple[list[float], list[float], list[float], int, int],
) -> None:
    """Ranks over the bank, the M smallest sums, then every N-tuple with R_D by Ω = 1 / mean cosine."""
    ems, ppls, flat, shortlist, wanted = table
    n = len(ems)
    cosines = [[1.0 if i == j else flat[min(i, j) * n + max(i, j)] for j in range(n)] for i in range(n)]
    wanted = min(wanted, shortlist)
    sums = [a + b for a, b in zip(slow_ranks([-em for em in ems]), slow_ranks(ppls), strict=True)]
    short = sorted(range(n), key=lambda i: (sums[i], ppls[i], i))[:shortlist]
    groups = list(combinations(short, wanted))
    omega = []
    for group in groups:
        pairs = list(combinations(group, 2))
        omega.append(1 / (sum(cosines[i][j] for i, j in pairs) / len(pairs)) if pairs else 1.0)
    diversity = slow_ranks([-round(o, 12) for o in omega])
    totals = {g: sum(sums[i] for i in g) + d for g, d in zip(groups, diversity, strict=True)}

    selection = select(
        [score(i, em, ppl) for i, (em, ppl) in enumerate(zip(ems, ppls, strict=True))],
        lambda sources: [[cosines[int(a.revision, 16)][int(b.revision, 16)] for b in sources] for a in sources],
        candidates=shortlist,
        count=wanted,
    )

    chosen = tuple(int(s.revision, 16) for s in selection.chosen)
    assert selection.shortlist == tuple(f"tester/adapter-{i:02}" for i in short)
    total = totals[tuple(sorted(chosen, key=short.index))]
    best = min(totals.values())
    assert total == pytest.approx(best)
    tied = [g for g, value in totals.items() if value == pytest.approx(best)]
    assert sum(ppls[i] for i in chosen) == pytest.approx(min(sum(ppls[i] for i in g) for g in tied))


def test_diversity_decides_between_equal_scores() -> None:
    """Three equal adapters, two of them copies: one of the copies stays out."""
    similarity = [[1.0, 0.99, 0.1], [0.99, 1.0, 0.2], [0.1, 0.2, 1.0]]
    assert best_group([4.0, 4.0, 4.0], [1.0, 1.0, 1.0], similarity, 2) == (0, 2)


def test_opposite_adapters_are_the_most_diverse() -> None:
    """A mean cosine below zero counts as more diverse than any above, where 1/x alone would turn around."""
    similarity = [[1.0, -0.5, 0.1], [-0.5, 1.0, 0.2], [0.1, 0.2, 1.0]]
    assert best_group([4.0, 4.0, 4.0], [1.0, 1.0, 1.0], similarity, 2) == (0, 1)


def test_order_of_the_pool_changes_nothing() -> None:
    """Selection is a function of the set of scores."""
    pool = [score(i, (i % 3) / 3, 1 + (i * 7) % 5) for i in range(9)]
    cosines = lambda sources: [[1.0 if a == b else 0.3 for b in sources] for a in sources]  # noqa: E731
    first = select(pool, cosines, candidates=6, count=3)
    second = select(pool[::-1], cosines, candidates=6, count=3)
    assert {s.repo for s in first.chosen} == {s.repo for s in second.chosen}


def test_too_many_groups_are_refused_with_a_fix() -> None:
    """Enumeration has a limit, and the message says what to lower."""
    pool = [score(i, 0, 1.0 + i) for i in range(40)]
    with pytest.raises(HubExpertError) as caught:
        select(pool, lambda sources: [], candidates=40, count=10)
    assert "experts.candidates" in caught.value.fix
