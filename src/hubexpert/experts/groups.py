"""The group of N that Algorithm 1 of the Open Knowledge paper takes out of a shortlist, and how others compare."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MOST_GROUPS = 100_000  # beyond it groups are searched instead of enumerated
MOST_SWAPS = 10_000_000  # looked at in one round of the search; bounds its time
BATCH = 200_000  # of them at once; bounds its memory
MILLIONTHS = 1_000_000  # cosines are compared as integers, so that ties are ties on every machine
Search = Literal["exact", "greedy-with-swap"]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Comparison:
    """The groups of a shortlist that were compared: all of them, or the most diverse ones that swaps lead to."""

    sums: Floats  # [members] R_P + R_A
    cosines: Ints  # [members, members] in millionths, 0 on the diagonal
    groups: Ints  # [groups, N] members, ascending
    alike: Ints  # [groups] summed pairwise cosines
    search: Search

    def diversity(self, groups: Ints) -> Floats:
        """R_D of the groups [k, N]: ranks of Ω = 1 / mean pairwise cosine, descending; ties share the mean rank.

        That is the summed cosine ascending, which stays meaningful where it is not positive. After a search it is the
        place among the groups it has met.
        """
        ordered, wanted = np.sort(self.alike), alike(groups, self.cosines)
        below, up_to = (np.searchsorted(ordered, wanted, side=side) for side in ("left", "right"))
        return np.asarray((below + 1 + up_to) / 2)

    def beyond(self, groups: Ints) -> NDArray[np.bool_]:
        """Whether each of the groups [k, N] is no more diverse than the last one a search met: R_D is unknown."""
        return np.asarray(alike(groups, self.cosines) >= self.alike.max()) & (self.search != "exact")

    def totals(self, groups: Ints) -> Floats:
        """Σ(R_P + R_A) + R_D of the groups [k, N]: what Algorithm 1 minimises."""
        return np.asarray(self.sums[groups].sum(axis=1) + self.diversity(groups))

    def best(self, perplexities: Sequence[float]) -> tuple[int, ...]:
        """The best group; ties go to the smaller summed perplexity, then to the earlier members."""
        order = np.lexsort((np.array(perplexities)[self.groups].sum(axis=1), self.totals(self.groups)))
        return tuple(self.groups[order[0]].tolist())


def compare_groups(sums: Sequence[float], similarity: Sequence[Sequence[float]], count: int) -> Comparison:
    """All groups of `count` members, where there are at most 10⁵; else those that a search finds.

    Args:
        sums: R_P + R_A of each member of the shortlist.
        similarity: pairwise cosines of the members.
        count: N, at least 1 and at most as many as there are members.
    """
    if math.comb(len(sums), count) <= MOST_GROUPS:
        return enumerate_groups(sums, similarity, count)
    return search_groups(sums, similarity, count)


def enumerate_groups(sums: Sequence[float], similarity: Sequence[Sequence[float]], count: int) -> Comparison:
    """All groups of `count` members."""
    groups, cosines = np.array(list(combinations(range(len(sums)), count))), _millionths(similarity)
    return Comparison(np.array(sums, float), cosines, groups, alike(groups, cosines), "exact")


def search_groups(sums: Sequence[float], similarity: Sequence[Sequence[float]], count: int) -> Comparison:
    """The groups among which the best one is, or nearly, found by swaps from greedy ones; deterministic.

    Where the most diverse group has R_D = 1, the best one has at most 1 + Σ(R_P + R_A) of that group minus the smallest
    possible Σ(R_P + R_A): a few thousand at most, where there may be 10¹³ groups. So twice as many of the most diverse
    groups are looked for, and their places are their ranks. (Twice, because ties share the mean rank: those of which
    some are missing then cannot win.) The result is that of the enumeration wherever the search misses none of them.
    """
    cosines, weights = _millionths(similarity), np.array(sums, float)
    starts = _greedy(cosines, count)
    most_diverse = _swapped(starts, cosines, weights, 1)[0]
    span = int(weights[most_diverse].sum() - np.sort(weights)[:count].sum())
    width = min(2 * (span + 2), MOST_SWAPS // (count * (len(sums) - count) + 1))
    groups = _swapped(starts, cosines, weights, max(1, width))
    return Comparison(weights, cosines, groups, alike(groups, cosines), "greedy-with-swap")


def alike(groups: Ints, cosines: Ints) -> Ints:
    """The summed pairwise cosines of the groups [k, N], in millionths: [k]."""
    total = np.zeros(len(groups), dtype=np.int64)
    for member in range(1, groups.shape[1]):
        total += cosines[groups[:, [member]], groups[:, :member]].sum(axis=1)
    return total


def _millionths(similarity: Sequence[Sequence[float]]) -> Ints:
    cosines = np.rint(np.array(similarity, float) * MILLIONTHS).astype(np.int64)
    np.fill_diagonal(cosines, 0)
    return cosines


def _greedy(cosines: Ints, count: int) -> Ints:
    """From every member the group that grows by the one least like those in it: [members, count]."""
    groups = np.arange(len(cosines))[:, None]
    added = np.zeros_like(cosines)  # [groups, members] what each member would add
    while groups.shape[1] < count:
        added += cosines[groups[:, -1]]
        np.put_along_axis(added, groups, np.iinfo(np.int64).max // 2, axis=1)
        groups = np.hstack([groups, added.argmin(axis=1)[:, None]])
    return np.sort(groups, axis=1)


def _swapped(groups: Ints, cosines: Ints, sums: Floats, width: int) -> Ints:
    """The `width` most diverse groups that swaps of one member lead to from `groups`, most diverse first.

    Of equally diverse ones those with the smaller sums are kept. In the end no swap in any of them gives one that is
    missing and more diverse than the last: with width 1 that is a local optimum.
    """
    batch = max(1, BATCH // (groups.shape[1] * len(cosines)))
    kept = _cut(groups, cosines, sums, width)
    done: set[bytes] = set()
    while fresh := [index for index, group in enumerate(kept) if group.tobytes() not in done][:batch]:
        done.update(kept[index].tobytes() for index in fresh)
        worst = alike(kept[-1:], cosines)[0] if len(kept) == width else np.iinfo(np.int64).max
        kept = _cut(np.vstack([kept, _neighbours(kept[fresh], cosines, worst)]), cosines, sums, width)
    return kept


def _cut(groups: Ints, cosines: Ints, sums: Floats, width: int) -> Ints:
    distinct = np.unique(groups, axis=0)
    order = np.lexsort((sums[distinct].sum(axis=1), alike(distinct, cosines)))
    return distinct[order[:width]]


def _neighbours(groups: Ints, cosines: Ints, worst: np.int64 | int) -> Ints:
    """All groups one swap away from those in `groups` [k, N] whose summed cosine is at most `worst`: [found, N]."""
    each = cosines[groups].sum(axis=1)  # [k, members] of each member with the group
    without = alike(groups, cosines)[:, None] - np.take_along_axis(each, groups, axis=1)  # [k, N]
    summed = without[:, :, None] + each[:, None, :] - cosines[groups]  # [k, N leaving, members entering]
    outside = np.ones(each.shape, dtype=bool)
    np.put_along_axis(outside, groups, False, axis=1)
    rows, leaving, entering = np.nonzero((summed <= worst) & outside[:, None, :])
    found = groups[rows].copy()
    found[np.arange(len(rows)), leaving] = entering
    return np.sort(found, axis=1)
