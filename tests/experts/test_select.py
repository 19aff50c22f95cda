"""Algorithm 1 against a brute-force reference written from the paper's text."""

import math
import re
from collections.abc import Callable, Sequence
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.experts.select import ranks, select
from hubexpert.records import Score, Selection, Source

Table = tuple[list[Score], list[list[float]], int, int]


def slow_ranks(values: Sequence[float | tuple[float, ...]]) -> list[float]:
    """One plus how many are smaller, plus half of the others that are equal."""
    return [1 + sum(w < v for w in values) + (sum(w == v for w in values) - 1) / 2 for v in values]  # type: ignore[operator]


def score(index: int, exact_match: float, perplexity: float, n: int = 10, adapted: float | None = None) -> Score:
    source = Source(repo=f"tester/adapter-{index:02}", revision=f"{index:040x}")
    return Score(source=source, exact_match=exact_match, perplexity=perplexity, n=n, low=0, high=1, adapted=adapted)


def looked_up(cosines: list[list[float]]) -> Callable[[Sequence[Source]], list[list[float]]]:
    """The cosines of any adapters, by the number that is their revision."""
    return lambda sources: [[cosines[int(a.revision, 16)][int(b.revision, 16)] for b in sources] for a in sources]


def alike(count: int, cosine: float = 0.25) -> list[list[float]]:
    return [[1.0 if i == j else cosine for j in range(count)] for i in range(count)]


def numbers(selection: Selection) -> tuple[int, ...]:
    return tuple(int(source.revision, 16) for source in selection.chosen)


@given(st.lists(st.integers(0, 5).map(float), min_size=1, max_size=20))
def test_ranks_share_the_mean_among_ties(values: list[float]) -> None:
    """Average ranks, smallest first."""
    assert ranks(values) == slow_ranks(values)


@given(st.lists(st.tuples(st.integers(0, 2).map(float), st.integers(0, 3).map(float)), min_size=1, max_size=20))
def test_ranks_of_tuples_go_by_the_first_number_first(values: list[tuple[float, ...]]) -> None:
    """Tiers: the second number decides only within equal first ones."""
    assert ranks(values) == slow_ranks(values)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Scores with many ties on unequal numbers of shots, cosines with many ties, M and N."""
    n = draw(st.integers(2, 7))
    quarter, eighth = st.integers(0, 4).map(lambda i: i / 4), st.integers(-2, 7).map(lambda i: i / 8)
    adapted = st.none() | st.integers(1, 3).map(float)
    scores = [
        score(i, draw(quarter), draw(st.integers(1, 5)), draw(st.sampled_from([8, 16])), draw(adapted))
        for i in range(n)
    ]
    cosines = alike(n)
    for i, j in combinations(range(n), 2):
        cosines[i][j] = cosines[j][i] = draw(eighth)
    candidates = draw(st.integers(1, n))
    return scores, cosines, candidates, draw(st.integers(1, candidates))


def slow_totals(table: Table, by: Sequence[str]) -> tuple[list[int], dict[tuple[int, ...], float]]:
    """The shortlist, and Σ(ranks) + R_D of every N-tuple of it, straight from the paper."""
    scores, cosines, candidates, count = table
    worst = max([s.adapted for s in scores if s.adapted is not None], default=0) + 1
    lists = {
        "exact_match": slow_ranks([(-s.n, -s.exact_match) for s in scores]),
        "perplexity": slow_ranks([(-s.n, s.perplexity) for s in scores]),
        "adapted": slow_ranks([(s.adapted is None, -s.n, worst if s.adapted is None else s.adapted) for s in scores]),
    }
    sums = [sum(lists[name][i] for name in by) for i in range(len(scores))]
    short = sorted(range(len(scores)), key=lambda i: (sums[i], -scores[i].n, scores[i].perplexity, i))[:candidates]
    groups = [tuple(sorted(group)) for group in combinations(short, count)]
    mean = [sum(cosines[i][j] for i, j in combinations(g, 2)) / max(1, math.comb(count, 2)) for g in groups]
    # Ω = 1 / mean descending is the mean ascending, as long as it is positive
    totals = [sum(sums[i] for i in g) + d for g, d in zip(groups, slow_ranks(mean), strict=True)]
    return short, dict(zip(groups, totals, strict=True))


ORDERS = st.sampled_from([("exact_match", "perplexity"), ("exact_match", "perplexity", "adapted"), ("adapted",)])


@settings(max_examples=300, deadline=None)
@given(tables(), ORDERS)
def test_the_group_is_the_brute_force_minimum(table: Table, by: tuple[str, ...]) -> None:
    """Ranks over the bank, the M smallest sums, then every N-tuple; ties go to the smaller summed perplexity."""
    scores, cosines, candidates, count = table
    short, totals = slow_totals(table, by)
    selection = select(scores, looked_up(cosines), candidates=candidates, count=count, by=by)

    assert selection.shortlist == tuple(f"tester/adapter-{i:02}" for i in short)
    assert selection.search == "exact"
    assert selection.groups == len(totals)
    chosen = tuple(sorted(numbers(selection)))
    best = min(totals.values())
    assert totals[chosen] == best
    tied = [group for group, total in totals.items() if total == best]
    assert sum(scores[i].perplexity for i in chosen) == min(sum(scores[i].perplexity for i in g) for g in tied)


@settings(max_examples=200, deadline=None)
@given(tables(), ORDERS)
def test_the_reason_says_what_the_best_replacement_costs(table: Table, by: tuple[str, ...]) -> None:
    """For everyone on the shortlist who was not chosen: the least that the objective grows by one swap."""
    scores, cosines, candidates, count = table
    short, totals = slow_totals(table, by)
    selection = select(scores, looked_up(cosines), candidates=candidates, count=count, by=by)
    chosen = set(numbers(selection))
    for place, selected in enumerate(selection.pool):
        member = int(selected.source.revision, 16)
        assert selected.reason.startswith(f"place {place + 1} of {len(scores)}: ")
        if selected.chosen:
            assert "in the group with the best ranks and diversity" in selected.reason
        elif place >= len(short):
            assert f"below the shortlist of {len(short)}" in selected.reason
        else:
            swaps = [totals[tuple(sorted(chosen - {left} | {member}))] for left in chosen]
            worse = min(swaps) - totals[tuple(sorted(chosen))]
            told = re.search(r"in place of tester/adapter-(\d+) the group scores (the same|[\d.]+)", selected.reason)
            parts = re.search(r"\(ranks ([+-][\d.]+), diversity rank ([+-][\d.]+)\)", selected.reason)
            assert told
            assert parts
            assert (0 if told[2] == "the same" else float(told[2])) == worse
            assert float(parts[1]) + float(parts[2]) == worse
            assert totals[tuple(sorted(chosen - {int(told[1])} | {member}))] == min(swaps)


@settings(max_examples=100, deadline=None)
@given(tables(), ORDERS, st.randoms(use_true_random=False))
def test_order_of_the_pool_changes_nothing(table: Table, by: tuple[str, ...], random: Random) -> None:
    """Selection is a function of the set of scores: ranks, reasons, cosines and all."""
    scores, cosines, candidates, count = table
    first = select(scores, looked_up(cosines), candidates=candidates, count=count, by=by)
    random.shuffle(scores)
    assert select(scores, looked_up(cosines), candidates=candidates, count=count, by=by) == first


def test_who_was_measured_on_more_shots_ranks_before_those_dropped_earlier() -> None:
    """A perfect score on four shots is no better than a poor one on sixteen."""
    pool = [score(0, 1.0, 1.0, n=4), score(1, 0.1, 50.0, n=16), score(2, 0.2, 40.0, n=16), score(3, 0.9, 2.0, n=8)]
    selection = select(pool, looked_up(alike(4)), candidates=2, count=2)
    by_number = {int(s.source.revision, 16): s for s in selection.pool}
    assert [by_number[i].rank_em for i in range(4)] == [4, 2, 1, 3]
    assert [by_number[i].rank_ppl for i in range(4)] == [4, 2, 1, 3]
    assert numbers(selection) == (2, 1)
    assert by_number[0].reason.endswith("below the shortlist of 2; measured on 4 of 16 shots")
    assert "measured" not in by_number[1].reason


def test_adapters_without_an_adapted_perplexity_rank_behind_those_with_one() -> None:
    """They share the last ranks; so does NaN, which stands for steps that led nowhere."""
    values = [None, 9.0, 3.0, float("nan")]
    pool = [score(i, 0.5, 1.0, adapted=value) for i, value in enumerate(values)]
    selection = select(pool, looked_up(alike(4)), candidates=4, count=1, by=("exact_match", "perplexity", "adapted"))
    assert {int(s.source.revision, 16): s.rank_adapted for s in selection.pool} == {0: 3.5, 1: 2, 2: 1, 3: 3.5}
    assert numbers(selection) == (2,)


def test_adapted_perplexity_counts_only_where_it_is_asked_for() -> None:
    """By default the ranks are those of the paper."""
    pool = [score(0, 0.5, 1.0, adapted=9.0), score(1, 0.5, 2.0, adapted=1.0)]
    selection = select(pool, looked_up(alike(2)), candidates=2, count=1)
    assert numbers(selection) == (0,)
    assert [s.rank_adapted for s in selection.pool] == [None, None]


def test_flags_stand_in_the_reason_and_refuse_nobody() -> None:
    """A warning is told, and the adapter may be chosen all the same."""
    flagged = score(0, 1.0, 1.0).model_copy(update={"flags": ("knows-the-shots", "too-good")})
    selection = select([flagged, score(1, 0.5, 2.0)], looked_up(alike(2)), candidates=2, count=1)
    assert numbers(selection) == (0,)
    assert selection.pool[0].reason.endswith("; flagged: knows-the-shots, too-good")
    assert "flagged" not in selection.pool[1].reason


def test_diversity_decides_between_equal_scores() -> None:
    """Three equal adapters, two of them copies: one of the copies stays out."""
    cosines = [[1.0, 0.99, 0.1], [0.99, 1.0, 0.2], [0.1, 0.2, 1.0]]
    assert numbers(select([score(i, 0.5, 2.0) for i in range(3)], looked_up(cosines), candidates=3, count=2)) == (0, 2)


def test_opposite_adapters_are_the_most_diverse() -> None:
    """A mean cosine below zero counts as more diverse than any above, where 1/x alone would turn around."""
    cosines = [[1.0, -0.5, 0.1], [-0.5, 1.0, 0.2], [0.1, 0.2, 1.0]]
    assert numbers(select([score(i, 0.5, 2.0) for i in range(3)], looked_up(cosines), candidates=3, count=2)) == (0, 1)


def test_the_nearest_expert_is_the_most_similar_other_chosen_one() -> None:
    """Of the chosen, too; below the shortlist nothing is known."""
    cosines = [[1.0, 0.2, 0.7, 0.0], [0.2, 1.0, 0.4, 0.0], [0.7, 0.4, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    selection = select([score(i, 0.5, 1.0 + i) for i in range(4)], looked_up(cosines), candidates=3, count=2)
    assert numbers(selection) == (0, 1)
    assert [selection.nearest(place) for place in range(4)] == [(1, 0.2), (0, 0.2), (0, 0.7), None]
    alone = select([score(0, 0.5, 1.0)], looked_up(alike(1)), candidates=8, count=4)
    assert alone.nearest(0) is None


@pytest.mark.parametrize("count", [1, 3])
def test_a_pool_smaller_than_the_shortlist_is_taken_whole(count: int) -> None:
    """M and N are cut to what there is."""
    selection = select([score(i, 0.5, 1.0 + i) for i in range(3)], looked_up(alike(3)), candidates=8, count=count)
    assert numbers(selection) == tuple(range(count))
    assert selection.groups == math.comb(3, count)


def test_cosines_are_kept_to_six_decimals() -> None:
    """What lies behind differs between machines, and would make ties and locks differ."""
    noise = [[1.0, 0.25 + 1e-9, 0.25], [0.25 + 1e-9, 1.0, 0.25 - 1e-9], [0.25, 0.25 - 1e-9, 1.0]]
    pool = [score(i, 0.5, 1.0 + i) for i in range(3)]
    selection = select(pool, looked_up(noise), candidates=3, count=2)
    assert selection == select(pool, looked_up(alike(3)), candidates=3, count=2)
    assert selection.similarity[0] == (1.0, 0.25, 0.25)


def test_where_groups_are_searched_the_reasons_say_only_what_is_known() -> None:
    """Equally diverse groups differ by their ranks; of one less diverse than all that were met no rank is made up."""
    pool = [score(i, 0.5, 1.0 + i) for i in range(60)]
    unlike = select(pool, looked_up(alike(60, 0.0)), candidates=60, count=8)
    assert unlike.search == "greedy-with-swap"
    assert unlike.groups == math.comb(60, 8)
    assert numbers(unlike) == tuple(range(8))
    assert (
        "in place of tester/adapter-07 the group scores 2 worse (ranks +2, diversity rank +0)" in unlike.pool[9].reason
    )

    copies = alike(60, 0.0)
    for i, j in combinations(range(40, 60), 2):
        copies[i][j] = copies[j][i] = 1.0
    for i in range(60):
        copies[3][i] = copies[i][3] = 1.0
    selection = select(pool, looked_up(copies), candidates=60, count=8)
    assert numbers(selection) == (0, 1, 2, 4, 5, 6, 7, 8)
    assert "it leaves the" in selection.pool[3].reason
    assert "most diverse groups met" in selection.pool[3].reason
    assert selection.pool[0].reason.endswith("that was met")
