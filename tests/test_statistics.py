"""Intervals and tests of differences against slow, obvious references."""

import random
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from hubexpert.significance import holm, mcnemar, p_value, sign_flips
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


def slow_flips(differences: list[float]) -> float:
    """Every pattern of signs, in fractions: the share whose sum is at least as far from 0."""
    exact = [Fraction(d) for d in differences]
    observed = abs(sum(exact, Fraction(0)))
    patterns = list(product((1, -1), repeat=len(exact)))
    sums = [sum((s * d for s, d in zip(signs, exact, strict=True)), Fraction(0)) for signs in patterns]
    return sum(abs(total) >= observed for total in sums) / len(sums)


@pytest.mark.parametrize("won", range(7))
@pytest.mark.parametrize("lost", range(5))
def test_mcnemar_counts_the_coins_that_fall_at_least_as_unevenly(won: int, lost: int) -> None:
    falls = [sum(coins) for coins in product((0, 1), repeat=won + lost)]
    extreme = sum(abs(2 * heads - won - lost) >= abs(won - lost) for heads in falls)
    assert mcnemar(won, lost) == pytest.approx(extreme / len(falls))


@pytest.mark.parametrize(
    ("won", "lost", "p"),
    [(0, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (8, 1, 20 / 512), (9, 3, 598 / 4096), (15, 5, 43400 / 2**20)],
)
def test_mcnemar_gives_the_values_of_binomial_tables(won: int, lost: int, p: float) -> None:
    """2 (1 + 9) / 2⁹, 2 (1 + 12 + 66 + 220) / 2¹² and so on."""
    assert mcnemar(won, lost) == p
    assert mcnemar(lost, won) == p


def test_mcnemar_holds_where_floating_point_would_not() -> None:
    """2¹⁰⁰⁰ and more patterns; near the middle the normal distribution says about the same."""
    assert mcnemar(1000, 0) == 2.0**-999
    assert mcnemar(5100, 4900) == pytest.approx(0.0466, abs=1e-4)  # z = (200 - 1) / 100 with continuity correction


def test_values_of_zero_and_one_are_tested_by_their_discordant_pairs_alone() -> None:
    """Also where sign flips would be drawn; examples with equal values change nothing."""
    first, second = [1.0] * 30 + [0.0] * 20, [1.0] * 10 + [0.0] * 30 + [1.0] * 5 + [0.0] * 5
    assert p_value(first, second, seed=0) == mcnemar(20, 5)
    assert p_value([*first, 1.0, 0.0], [*second, 1.0, 0.0], seed=1) == mcnemar(20, 5)


def test_sign_flips_of_few_differences_are_all_counted() -> None:
    source = random.Random(0)
    for n in range(8):
        differences = [source.choice([-0.6, -0.3, 0.0, 0.1, 0.3, 0.7]) for _ in range(n)]
        assert sign_flips(differences, seed=0) == pytest.approx(slow_flips([round(10 * d) for d in differences]))


def test_sign_flips_and_mcnemar_agree_where_both_are_exact() -> None:
    for won, lost in ((9, 2), (6, 6), (0, 12)):
        assert sign_flips([1.0] * won + [-1.0] * lost + [0.0] * 40, seed=0) == pytest.approx(mcnemar(won, lost))


def test_drawn_sign_flips_are_near_the_exact_test_seeded_and_never_zero() -> None:
    drawn = sign_flips([1.0] * 30 + [-1.0] * 18, seed=4)
    assert drawn == pytest.approx(mcnemar(30, 18), abs=0.015)
    assert sign_flips([1.0] * 30 + [-1.0] * 18, seed=4) == drawn != sign_flips([1.0] * 30 + [-1.0] * 18, seed=5)
    assert sign_flips([0.5] * 60, seed=0) == 1 / 10_001
    assert p_value([0.5, 0.25] * 50, [0.5, 0.25] * 50, seed=0) == 1.0


def test_equal_systems_are_called_different_in_at_most_5_of_100_comparisons() -> None:
    source = np.random.default_rng(0)
    found = sum(p_value(*source.random((2, 20)).round(1).tolist(), seed=i) <= 0.05 for i in range(200))
    assert 2 <= found <= 20


def test_holm_gives_what_is_worked_out_by_hand() -> None:
    """Times 4, 3, 2 and 1 from the smallest on, never less than the one before, never more than 1; order kept."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.5]) == (1.0, 1.0)
    assert holm([0.02]) == (0.02,)
    assert holm([]) == ()


def test_holm_rejects_what_the_step_down_procedure_rejects() -> None:
    """From the smallest on while p ≤ α / (m - j + 1); the first that is not ends it."""
    source = random.Random(1)
    for _ in range(200):
        values = [source.random() ** 3 for _ in range(source.randint(1, 6))]
        rejected = set()
        for place, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
            if values[index] > 0.05 / (len(values) - place):
                break
            rejected.add(index)
        assert {i for i, adjusted in enumerate(holm(values)) if adjusted <= 0.05} == rejected


def test_tests_without_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        p_value([], [], seed=0)
    with pytest.raises(ValueError, match="no pairs"):
        p_value([1.0], [1.0, 0.0], seed=0)
