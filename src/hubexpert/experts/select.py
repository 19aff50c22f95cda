"""Algorithm 1 of the Open Knowledge paper: the group of N experts that scores best and differs most."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import fmean

from hubexpert.errors import HubExpertError
from hubexpert.records import Score, Selected, Selection, Source

MOST_GROUPS = 100_000


def ranks(values: Sequence[float]) -> list[float]:
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


def best_group(
    sums: Sequence[float], perplexities: Sequence[float], similarity: Sequence[Sequence[float]], count: int
) -> tuple[int, ...]:
    """The group of `count` members that minimises Σ(R_P + R_A) + R_D.

    R_D ranks groups by Ω = 1 / mean pairwise cosine, descending, which is the mean cosine ascending and stays
    meaningful where it is not positive. Ties go to the smaller summed perplexity, then to the earlier members.

    Args:
        sums: R_P + R_A of each member of the shortlist.
        perplexities: of each member, to break ties.
        similarity: pairwise cosines of the members.
        count: N.
    """
    groups = list(combinations(range(len(sums)), count))
    alike = [fmean(similarity[i][j] for i, j in combinations(group, 2)) if count > 1 else 0.0 for group in groups]
    diversity = ranks(alike)
    return min(
        zip(groups, diversity, strict=True),
        key=lambda pair: (
            sum(sums[i] for i in pair[0]) + pair[1],
            sum(perplexities[i] for i in pair[0]),
            pair[0],
        ),
    )[0]


def select(
    scores: Sequence[Score],
    similarity_of: Callable[[Sequence[Source]], Sequence[Sequence[float]]],
    *,
    candidates: int,
    count: int,
    by: Sequence[str] = ("exact_match", "perplexity"),
) -> Selection:
    """Choose `count` experts among the `candidates` best of the pool (N and M of the paper).

    Args:
        scores: the pool.
        similarity_of: gives the pairwise cosines of some adapters; called once, with the shortlist.
        candidates: M; the whole pool where it is smaller.
        count: N; the whole shortlist where it is smaller.
        by: the ranks that count, `exact_match` and `perplexity` in the paper.

    Raises:
        HubExpertError: there are more groups than can be compared.
    """
    rank_em = ranks([-score.exact_match for score in scores])
    rank_ppl = ranks([score.perplexity for score in scores])
    zero = [0.0] * len(scores)
    sums = [
        em + ppl
        for em, ppl in zip(
            rank_em if "exact_match" in by else zero, rank_ppl if "perplexity" in by else zero, strict=True
        )
    ]
    order = sorted(range(len(scores)), key=lambda i: (sums[i], scores[i].perplexity, scores[i].source.repo))
    short = order[:candidates]
    count = min(count, len(short))
    if math.comb(len(short), count) > MOST_GROUPS:
        raise HubExpertError(
            f"{count} experts out of {len(short)} candidates make more than {MOST_GROUPS:,} groups.",
            fix="lower `experts.candidates` or `experts.count` in the recipe",
        )
    similarity = similarity_of([scores[i].source for i in short])
    group = best_group([sums[i] for i in short], [scores[i].perplexity for i in short], similarity, count)
    chosen = {short[i] for i in group}
    pool = tuple(
        Selected(
            source=scores[i].source,
            chosen=i in chosen,
            rank_em=rank_em[i],
            rank_ppl=rank_ppl[i],
            reason=_reason(i in chosen, order.index(i) + 1, len(short), len(scores)),
        )
        for i in order
    )
    return Selection(
        pool=pool,
        similarity=tuple(tuple(float(x) for x in row) for row in similarity),
        shortlist=tuple(scores[i].source.repo for i in short),
        groups=math.comb(len(short), count),
    )


def _reason(chosen: bool, place: int, short: int, pool: int) -> str:
    """Why an adapter was chosen or not, in words."""
    if chosen:
        return f"place {place} of {pool} by the sum of ranks, and in the best group by ranks and diversity"
    if place <= short:
        return f"place {place} of {pool}: on the shortlist, but another group was better or more diverse"
    return f"place {place} of {pool}: below the shortlist of {short}"
