"""Algorithm 1 of the Open Knowledge paper: the group of N experts that scores best and differs most."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from hubexpert.experts.groups import Comparison, compare_groups
from hubexpert.records import Score, Selected, Selection, Source

DECIMALS = 6  # of cosines: what lies behind differs from machine to machine
Value = TypeVar("Value", float, tuple[float, ...])


def ranks(values: Sequence[Value]) -> list[float]:
    """The rank of each value, smallest first, from 1; equal values share the mean of their ranks."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    result = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for position in range(start, end + 1):
            result[order[position]] = (start + end) / 2 + 1
        start = end + 1
    return result


def select(
    scores: Sequence[Score],
    similarity_of: Callable[[Sequence[Source]], Sequence[Sequence[float]]],
    *,
    candidates: int,
    count: int,
    by: Sequence[str] = ("exact_match", "perplexity"),
) -> Selection:
    """Choose `count` experts among the `candidates` best of the pool (N and M of the paper).

    Whoever was measured on more shots ranks before those dropped earlier, whatever the numbers, which are not
    comparable. An adapter without an adapted perplexity ranks behind those with one in that rank.

    Args:
        scores: the pool.
        similarity_of: gives the pairwise cosines of some adapters; called once, with the shortlist.
        candidates: M; the whole pool where it is smaller.
        count: N; the whole shortlist where it is smaller.
        by: the ranks that count: `exact_match` and `perplexity` in the paper, `adapted`.
    """
    rank_of = {
        "exact_match": ranks([(-score.n, -score.exact_match) for score in scores]),
        "perplexity": ranks([(-score.n, score.perplexity) for score in scores]),
        "adapted": ranks([_adapted(score) for score in scores]),
    }
    sums = [sum(values[i] for name, values in rank_of.items() if name in by) for i in range(len(scores))]
    order = sorted(
        range(len(scores)), key=lambda i: (sums[i], -scores[i].n, scores[i].perplexity, scores[i].source.repo)
    )
    short = order[:candidates]
    similarity = [[round(float(x), DECIMALS) for x in row] for row in similarity_of([scores[i].source for i in short])]
    comparison = compare_groups([sums[i] for i in short], similarity, min(count, len(short)))
    group = comparison.best([scores[i].perplexity for i in short])
    names = [scores[i].source.repo for i in short]
    pool = tuple(
        Selected(
            source=scores[i].source,
            chosen=place in group,
            rank_em=rank_of["exact_match"][i],
            rank_ppl=rank_of["perplexity"][i],
            rank_adapted=rank_of["adapted"][i] if "adapted" in by else None,
            reason=f"place {place + 1} of {len(order)}: {_reason(place, group, names, comparison)}"
            + _remarks(scores, i),
        )
        for place, i in enumerate(order)
    )
    return Selection(
        pool=pool,
        similarity=tuple(tuple(row) for row in similarity),
        shortlist=tuple(names),
        groups=math.comb(len(short), len(group)),
        search=comparison.search,
    )


def _adapted(score: Score) -> tuple[float, ...]:
    """What adapted perplexities are ranked by; NaN, where the steps led nowhere, counts as none."""
    if score.adapted is None or math.isnan(score.adapted):
        return (1, -score.n, 0)
    return (0, -score.n, score.adapted)


def _reason(place: int, group: tuple[int, ...], names: Sequence[str], comparison: Comparison) -> str:
    """Why the adapter at this place, from 0, was chosen or not, in words."""
    if place in group:
        met = "" if comparison.search == "exact" else " that was met"
        return f"in the group with the best ranks and diversity{met}"
    if place >= len(names):
        return f"below the shortlist of {len(names)}"
    others = np.sort([[place if member == left else member for member in group] for left in group], axis=1)
    chosen = np.array([group])
    known = ~comparison.beyond(others) | (comparison.diversity(others) == comparison.diversity(chosen))
    if not known.any():
        count = len(comparison.groups)
        return f"on the shortlist; in place of any expert it leaves the {count} most diverse groups met"
    worse = np.where(known, comparison.totals(others) - comparison.totals(chosen), np.inf)
    nearest = int(worse.argmin())
    in_ranks = comparison.sums[place] - comparison.sums[group[nearest]]
    in_diversity = (comparison.diversity(others) - comparison.diversity(chosen))[nearest]
    by = f"{worse[nearest]:g} worse" if worse[nearest] else "the same, and ties go to the smaller perplexities"
    return (
        f"on the shortlist; with it in place of {names[group[nearest]]} the group scores {by} "
        f"(ranks {in_ranks:+g}, diversity rank {in_diversity:+g})"
    )


def _remarks(scores: Sequence[Score], index: int) -> str:
    """How much less it was measured than others, and its flags."""
    score, most = scores[index], max(score.n for score in scores)
    fewer = f"; measured on {score.n} of {most} shots" if score.n < most else ""
    return fewer + (f"; flagged: {', '.join(score.flags)}" if score.flags else "")
