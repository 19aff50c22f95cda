"""Shapley values of a game played on many examples: which coalitions to evaluate, and what their values say.

φ_i = Σ_{S without i} |S|! (N - |S| - 1)! / N! · (v(S with i) - v(S))   (Shapley 1953)

is what player i adds when it joins, averaged over all orders in which N players may join. v is a mean over examples and
φ is linear in v, so every example has its own φ, and φ's interval is that of a mean of paired differences.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from hubexpert.statistics import Floats, Z, paired

MOST_COALITIONS = 128
LEAST_PAIRS = 4  # of orders: their spread is estimated from as many
DECIMALS = 12  # of one example's value: what rounding leaves behind must not look like a difference
Coalition = tuple[int, ...]


@dataclass(frozen=True)
class Design:
    """The coalitions to evaluate, and what each counts for.

    Attributes:
        coalitions: the players of each, ascending; the first is empty, the last whole, and all but one player is there.
        present: [draws, players, coalitions], the weight of each coalition in a player's value with it; sums to 1.
        absent: the same without it; φ is the one minus the other.
        exact: whether these are all coalitions (one draw); otherwise every draw is an estimate of its own.
    """

    coalitions: tuple[Coalition, ...]
    present: Floats
    absent: Floats
    exact: bool


@dataclass(frozen=True)
class Values:
    """The Shapley values of every player on every example, as the difference of two means.

    Attributes:
        present: [players, examples], the mean value of the coalitions that a player has joined.
        absent: the same before it joined.
        noise: [players], half the 95 % interval of what the orders that were not drawn leave open; 0 where exact.
    """

    present: Floats
    absent: Floats
    noise: Floats

    def interval(self, player: int, *, seed: int) -> tuple[float, float, float]:
        """The player's mean Shapley value over the examples with its 95 % interval: (value, low, high).

        Examples are resampled as in `statistics.paired`. The sampling error of the orders is independent of that; the
        two distances from the value are added as squares (Zou and Donner 2008).
        """
        value, low, high = paired(list(self.present[player]), list(self.absent[player]), seed=seed)
        noise = float(self.noise[player])
        return value, value - hypot(value - low, noise), value + hypot(high - value, noise)


def design(players: int, *, most: int, seed: int) -> Design:
    """All coalitions where there are at most `most`, else those of as many drawn orders as surely keep within it.

    At least four pairs of orders are drawn, though they need more.
    """
    if 2**players <= most:
        return exact(players)
    affordable = (most - 2 - players) // (2 * max(1, players - 2))  # beside empty, whole and all but one
    return sampled(players, pairs=max(LEAST_PAIRS, affordable), seed=seed)


def exact(players: int) -> Design:
    """Every coalition, weighed as the formula says."""
    others = [[p for p in range(players) if p != player] for player in range(players)]
    steps = [
        (player, without, 1 / (players * comb(players - 1, size)))
        for player in range(players)
        for size in range(players)
        for without in combinations(others[player], size)
    ]
    return _weighed(players, [steps], exact=True)


def sampled(players: int, *, pairs: int, seed: int) -> Design:
    """The coalitions met in `pairs` random orders and their reverses: each pair is an unbiased estimate.

    Who joins early in an order joins late in its reverse, which cancels much of the luck. Coalitions that several
    orders meet are listed once. Within every order the contributions add up to v(all) - v(none), so the means do, too.
    """
    generator = np.random.default_rng(seed)
    draws = []
    for _ in range(pairs):
        order = [int(player) for player in generator.permutation(players)]
        draws.append([*_joining(order), *_joining(order[::-1])])
    return _weighed(players, draws, exact=False)


def _joining(order: Sequence[int]) -> Iterator[tuple[int, Coalition, float]]:
    """Every player of an order with the coalition that it joins; each order of a pair counts half."""
    for place, player in enumerate(order):
        yield player, tuple(sorted(order[:place])), 0.5


def _weighed(players: int, draws: Sequence[Sequence[tuple[int, Coalition, float]]], *, exact: bool) -> Design:
    everyone = tuple(range(players))
    needed = {(), everyone, *(_without(everyone, player) for player in everyone)}
    for steps in draws:
        for player, without, _ in steps:
            needed |= {without, _with(without, player)}
    coalitions = tuple(sorted(needed, key=lambda coalition: (len(coalition), coalition)))
    place = {coalition: index for index, coalition in enumerate(coalitions)}
    present, absent = (np.zeros((len(draws), players, len(coalitions))) for _ in range(2))
    for draw, steps in enumerate(draws):
        for player, without, weight in steps:
            present[draw, player, place[_with(without, player)]] += weight
            absent[draw, player, place[without]] += weight
    return Design(coalitions, present, absent, exact)


def _with(coalition: Coalition, player: int) -> Coalition:
    return tuple(sorted((*coalition, player)))


def _without(coalition: Coalition, player: int) -> Coalition:
    return tuple(other for other in coalition if other != player)


def solve(plan: Design, values: NDArray[np.float64]) -> Values:
    """The Shapley values from the value of every coalition on every example, [coalitions, examples]."""
    present, absent = (
        np.einsum("dpc,ce->dpe", weights, values).round(DECIMALS) for weights in (plan.present, plan.absent)
    )
    draws, players = plan.present.shape[:2]
    noise = np.zeros(players)
    if not plan.exact:
        estimates = (present - absent).mean(2)  # [draws, players]
        noise = student(draws - 1) * estimates.std(0, ddof=1) / sqrt(draws)
    return Values(present.mean(0).round(DECIMALS), absent.mean(0).round(DECIMALS), noise)


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, by Fisher's expansion about the normal one: within 1 % from 3 degrees on."""
    terms = (
        (Z**3 + Z) / 4,
        (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96,
        (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384,
    )
    return Z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
