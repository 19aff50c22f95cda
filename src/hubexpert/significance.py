"""Tests of a difference between two systems on the same examples, and Holm's correction for several of them.

The p-value is how often a difference at least as large, either way, comes about where both systems are equally good: if
of each example's two values it is chance which system has which.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FLIPS = 10_000
BATCH = 1_000_000  # signs at once; bounds the memory


def p_value(first: Sequence[float], second: Sequence[float], *, seed: int) -> float:
    """The two-sided p-value of the mean difference: McNemar's exact test of values 0 and 1, else by sign flips.

    Raises:
        ValueError: there are no values, or the two lengths differ.
    """
    if len(first) == 0 or len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values are no pairs to be tested")
    if {*first, *second} <= {0.0, 1.0}:
        pairs = list(zip(first, second, strict=True))
        return mcnemar(sum(a > b for a, b in pairs), sum(a < b for a, b in pairs))
    return sign_flips(np.subtract(first, second), seed=seed)


def mcnemar(won: int, lost: int) -> float:
    """McNemar's exact test: min(1, 2 P(X ≤ min(won, lost))) for X from Binomial(won + lost, 1/2); 1 without either.

    In whole numbers, so nothing is lost however many there are (a second for 100,000).

    Args:
        won: examples that only the first system solves.
        lost: examples that only the second one solves.
    """
    n, term, tail = won + lost, 1, 0
    for successes in range(min(won, lost) + 1):
        tail += term
        term = term * (n - successes) // (successes + 1)  # comb(n, successes + 1)
    return min(1.0, 2 * tail / 2**n)


def sign_flips(differences: Sequence[float] | NDArray[np.float64], *, seed: int) -> float:
    """The share of sign patterns with which the sum of the differences is at least as far from 0.

    Of all patterns, where there are no more than 10,000 (up to 13 differences that are not 0, as those have no sign);
    else of 10,000 drawn ones, the observed one among them: (1 + found) / (1 + drawn), never 0.
    """
    values = np.asarray(differences, dtype=np.float64)
    values = values[values != 0]
    least = abs(values.sum()) - 1e-9 * np.abs(values).sum()  # equal sums may differ in their last digits
    if 2 ** len(values) <= FLIPS:
        patterns = np.arange(2 ** len(values))[:, None] >> np.arange(len(values)) & 1
        return float(np.mean(np.abs((2 * patterns - 1) @ values) >= least))
    generator, found, left = np.random.default_rng(seed), 0, FLIPS
    while left:
        count = min(left, max(1, BATCH // len(values)))
        signs = 2 * generator.integers(2, size=(count, len(values)), dtype=np.int8) - 1
        found += int(np.sum(np.abs(signs @ values) >= least))
        left -= count
    return (1 + found) / (1 + FLIPS)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p-values adjusted by Holm's step-down method, in the order given.

    The i-th smallest of m becomes max over j ≤ i of min(1, (m - j + 1) p_j). Calling those below 0.05 differences, one
    or more false ones come about in at most 5 of 100 comparisons, whichever of them are true. (S. Holm, A simple
    sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979.)
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = least
    return tuple(adjusted)
