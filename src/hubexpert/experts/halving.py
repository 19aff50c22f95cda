"""A smaller budget for scoring: sequential halving, in which every adapter sees the same shots in the same order.

All adapters answer a few shots, the worse ones are dropped, the others answer more, until a few have answered all
(Karnin et al. 2013; with shared queries, arXiv 2601.22157). Pure functions: the caller measures. What it saves and
what it costs stands in docs/budgets.md.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, pairwise

import numpy as np
from numpy.typing import NDArray

from hubexpert.experts.select import ranks
from hubexpert.records import Example
from hubexpert.statistics import Z
from hubexpert.workspace import fingerprint

SAVING = 4  # full scoring costs at least this many times as much, where the pool is large enough
RUNGS = 8
OPENING = (
    0.4  # of what the finalists leave of the budget, the first rung takes this share: best from 24 to 800 adapters
)
MOST_NLL = 700.0  # as in scores: exp of more is infinite
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rung:
    """`survivors` adapters are measured on the first `shots` shots (those of earlier rungs included)."""

    shots: int
    survivors: int


def finalists(adapters: int, candidates: int, experts: int) -> int:
    """How many adapters are at least measured on all shots: `keep` of the other functions.

    The shortlist (`candidates`, M of Algorithm 1) would be best, but measuring it in full costs M·K. So it is one more
    than the experts wanted (N), that there is something to choose, and in pools of more than 8 (N + 1) an
    eighth of the pool, which takes half the budget; never more than M.
    """
    return min(adapters, candidates, max(experts + 1, adapters // (2 * SAVING)))


def affordable(adapters: int, shots: int, keep: int, saving: float = SAVING) -> int:
    """The most evaluations (pairs of adapter and shot) that `rungs` plans: adapters x shots / 4 where possible.

    A pool of fewer than 6 `keep` gets 1.5 `keep` x shots: where `keep` are measured in full, a quarter would leave too
    little to choose them by. And nothing less than one shot for all and all shots for `keep` makes a plan.
    """
    least = adapters + (shots - 1) * min(keep, adapters)
    return min(adapters * shots, max(int(adapters * shots / saving), 3 * keep * shots // 2, least))


def rungs(adapters: int, shots: int, keep: int, saving: float = SAVING) -> tuple[Rung, ...]:
    """The plan: who is measured on how many shots, first rung first.

    The shots of the rungs grow geometrically up to all, and the survivors shrink as a power of the shots, down to
    `keep` at the least: the smallest power for which the sum stays within `affordable`. From 6 `keep` adapters and 10
    shots on that is a quarter of adapters x shots.

    Args:
        adapters: the pool's size, at least 1.
        shots: K, at least 1.
        keep: how many are measured on all shots at the least, at least 1; see `finalists`.
        saving: how many times cheaper than scoring all on all shots.
    """
    budget = affordable(adapters, shots, keep, saving)
    least = min(keep, adapters)
    first = max(1, round(OPENING * (budget - least * shots) / adapters))
    steps = sorted({math.ceil(first * (shots / first) ** (rung / (RUNGS - 1)) - 1e-9) for rung in range(RUNGS)})
    for power in count():
        plan = [Rung(s, max(least, int(adapters * (first / s) ** (power / 100) + 1e-9))) for s in steps]
        if cost(plan) <= budget:
            break
    # between rungs of equal survivors nobody is dropped: they are one
    return (*(rung for rung, after in pairwise(plan) if rung.survivors > after.survivors), plan[-1])


def cost(plan: Sequence[Rung]) -> int:
    """How many evaluations a plan needs, or the rest of one from its first rung's shots on."""
    return sum(
        rung.survivors * (rung.shots - before)
        for rung, before in zip(plan, [0, *(rung.shots for rung in plan)], strict=False)
    )


def room(plan: Sequence[Rung], step: int, spent: int) -> int:
    """How many adapters may go on to the rung `step` after `spent` evaluations: its survivors, or more.

    What was saved (adapters dropped early, or refused) goes to the rungs that are left, in equal proportion. Whoever
    obeys never spends more than `cost(plan)`.
    """
    rest = cost(plan) - cost(plan[:step])
    return plan[step].survivors * (cost(plan) - spent) // rest


def survivors(values: Floats, nlls: Floats, *, by: Sequence[str], keep: int, most: int, shots: int) -> list[int]:
    """Which adapters go on to the next rung, by what they did on the shots so far; indices, ascending.

    They are ordered as in selection: by the sum of their ranks, then by perplexity, then as given. The first `keep` go
    on. So do the next ones, `most` in all, but for those that are clearly worse than the last of the first `keep`: by
    every rank that counts, the mean difference on the same shots is more than 1.96 standard errors.

    Args:
        values: the metric's values in [0, 1], [adapters, shots so far].
        nlls: mean token NLLs of the gold outputs (nats), same shape.
        by: the ranks that count, `exact_match` and `perplexity` in the paper.
        keep: how many go on at the least.
        most: how many may go on, from `room`.
        shots: K, of which the shots so far are a part.
    """
    perplexities = np.exp(np.minimum(nlls, MOST_NLL)).mean(axis=1)
    sums = np.zeros(len(values))
    if "exact_match" in by:
        sums += ranks((-values.mean(axis=1)).tolist())
    if "perplexity" in by:
        sums += ranks(perplexities.tolist())
    order = np.lexsort((perplexities, sums))  # stable: equal ones stay as given
    others = order[keep : max(keep, most)]
    if len(others):
        last = order[keep - 1]
        worse = np.ones(len(others), dtype=bool)
        if "exact_match" in by:
            worse &= _behind(values[last] - values[others], shots)
        if "perplexity" in by:  # in nats: a single shot can dominate differences of perplexity itself
            worse &= _behind(nlls[others] - nlls[last], shots)
        others = others[~worse]
    return sorted(int(index) for index in [*order[:keep], *others])


def _behind(differences: Floats, shots: int) -> NDArray[np.bool_]:
    """Whether the mean of each row of [adapters, shots so far] is above 0 by 1.96 standard errors.

    The mean over all `shots` is what is guessed at, hence the correction for a finite population, 1/n - 1/K. One
    made-up difference of 1 is added to the squares, so that a few equal differences do not pass for certainty.
    """
    n = differences.shape[1]
    squares = ((differences**2).sum(axis=1) + 1) / (n + 1)
    return np.asarray(differences.mean(axis=1) > Z * np.sqrt(squares * (1 / n - 1 / shots)))


def order(examples: Sequence[Example], seed: int) -> list[int]:
    """The order in which the shots are measured: indices; shuffled by the seed, the outputs evenly spread.

    Of each output about the same share stands in every prefix, so that the first rung of a classification sees all
    common classes. Where all outputs differ it is a plain shuffle. The file's order does not matter.
    """
    keys = [fingerprint({"seed": seed, "example": example}) for example in examples]
    alike: defaultdict[str, list[int]] = defaultdict(list)
    for index in sorted(range(len(examples)), key=lambda index: (keys[index], index)):
        alike[examples[index].output].append(index)
    places = {}
    for output, indices in alike.items():
        start = int(fingerprint({"seed": seed, "output": output})[:12], 16) / 16**12
        for place, index in enumerate(indices):
            places[index] = ((place + start) / len(indices), keys[index], index)
    return sorted(places, key=lambda index: places[index])
