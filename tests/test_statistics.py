"""Intervals against slow, obvious references."""

import random
from fractions import Fraction

import numpy as np
import pytest

from hubexpert.statistics import bootstrap, paired, wilson


def slow_bootstrap(values: list[float], seed: int, draws: int) -> tuple[float, float]:
    """Resample by hand, sort the means, read off the quantiles with linear interpolation."""
    generator = np.random.default_rng(seed)
    means = []
    for _ in range(draws):
        total = Fraction(0)
        for index in generator.integers(len(values), size=len(values)):
            total += Fraction(values[index])
        means.append(float(total / len(values)))
    means.sort()

    def quantile(q: float) -> float:
        place = q * (draws - 1)
        below = int(place)
        above = min(below + 1, draws - 1)
        return means[below] + (place - below) * (means[above] - means[below])

    return quantile(0.025), quantile(0.975)


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_the_bootstrap_equals_resampling_by_hand(seed: int) -> None:
    source = random.Random(seed)
    values = [source.choice([0.0, 0.25, 1.0]) for _ in range(17)]
    assert bootstrap(values, seed=seed, draws=300) == pytest.approx(slow_bootstrap(values, seed, 300), abs=1e-12)


def test_the_paired_bootstrap_is_the_bootstrap_of_the_differences() -> None:
    first, second = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean, low, high = paired(first, second, seed=3)
    assert mean == pytest.approx(sum(differences) / 6)
    assert (low, high) == pytest.approx(slow_bootstrap(differences, 3, 2000), abs=1e-12)


def test_the_interval_is_deterministic_and_holds_the_mean() -> None:
    values = [0.0] * 30 + [1.0] * 10
    low, high = bootstrap(values, seed=5)
    assert bootstrap(values, seed=5) == (low, high)
    assert 0.1 < low < 0.25 < high < 0.45


def test_the_interval_covers_the_truth_about_95_times_in_100() -> None:
    source = np.random.default_rng(0)
    inside = 0
    for trial in range(200):
        low, high = bootstrap(list(source.binomial(1, 0.4, size=60).astype(float)), seed=trial, draws=300)
        inside += low <= 0.4 <= high
    assert 180 <= inside <= 199


@pytest.mark.parametrize(("value", "n"), [(0.0, 40), (1.0, 40), (0.0, 1), (1.0, 3)])
def test_all_zeros_or_all_ones_do_not_claim_certainty(value: float, n: int) -> None:
    low, high = bootstrap([value] * n, seed=0)
    assert low <= value <= high
    assert high - low == pytest.approx(1.959964**2 / (n + 1.959964**2), abs=1e-5)  # Wilson's width at the ends


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(0, 40, 0.0, 0.0876), (20, 40, 0.3520, 0.6480), (9, 10, 0.5958, 0.9821)]
)
def test_wilson_gives_the_textbook_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=1e-4)


def test_equal_answers_on_few_examples_do_not_prove_equality() -> None:
    mean, low, high = paired([1.0, 0.0] * 20, [1.0, 0.0] * 20, seed=0)
    assert (mean, low, high) == pytest.approx((0.0, -0.0876, 0.0876), abs=1e-4)


@pytest.mark.parametrize(("n", "proves"), [(1, False), (3, False), (4, True), (40, True)])
def test_winning_every_example_proves_something_only_with_enough_of_them(n: int, proves: bool) -> None:
    mean, low, high = paired([1.0] * n, [0.0] * n, seed=0)
    assert (mean, high) == (1.0, 1.0)
    assert (low > 0) is proves
    assert paired([0.0] * n, [1.0] * n, seed=0) == pytest.approx((-1.0, -1.0, -low))


def test_scores_beyond_zero_and_one_are_only_resampled() -> None:
    assert paired([12.0, 13.0], [10.0, 11.0], seed=0) == (2.0, 2.0, 2.0)


def test_no_values_or_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bootstrap([], seed=0)
    with pytest.raises(ValueError, match="pairs"):
        paired([1.0, 0.0], [1.0], seed=0)
