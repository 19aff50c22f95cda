"""Shapley values against their definition: the mean of what a player adds over all orders of joining."""

from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from hubexpert.shapley import LEAST_PAIRS, Coalition, Design, design, exact, sampled, solve, student

Game = dict[Coalition, NDArray[np.float64]]


def a_game(players: int, *, seed: int, examples: int = 4) -> Game:
    """A random value in [0, 1] for every coalition and example."""
    generator = np.random.default_rng(seed)
    coalitions = [c for size in range(players + 1) for c in combinations(range(players), size)]
    return {coalition: generator.random(examples) for coalition in coalitions}


def slow(players: int, game: Game) -> NDArray[np.float64]:
    """[players, examples]: what each player adds on joining, averaged over all N! orders."""
    total = np.zeros((players, len(game[()])))
    orders = list(permutations(range(players)))
    for order in orders:
        for place, player in enumerate(order):
            before, after = tuple(sorted(order[:place])), tuple(sorted(order[: place + 1]))
            total[player] += game[after] - game[before]
    return total / len(orders)


def played(plan: Design, game: Game) -> NDArray[np.float64]:
    return np.array([game[coalition] for coalition in plan.coalitions])


def values(plan: Design, game: Game) -> NDArray[np.float64]:
    """[players, examples]: the Shapley values as we compute them."""
    solved = solve(plan, played(plan, game))
    return solved.present - solved.absent


@pytest.mark.parametrize("players", [1, 2, 3, 4, 5])
def test_the_values_are_the_mean_over_all_orders(players: int) -> None:
    """Example by example; nothing is left open, and no coalition is asked for twice."""
    game = a_game(players, seed=players)
    plan = exact(players)
    assert sorted(plan.coalitions) == sorted(game)
    assert values(plan, game) == pytest.approx(slow(players, game), abs=1e-9)
    assert not solve(plan, played(plan, game)).noise.any()


@pytest.mark.parametrize("plan", [exact(6), sampled(7, pairs=4, seed=0), sampled(9, pairs=5, seed=1)])
def test_the_values_add_up_to_what_the_whole_has_over_the_empty(plan: Design) -> None:
    """Efficiency, example by example, also where orders were drawn."""
    game = a_game(plan.present.shape[1], seed=3)
    gained = game[plan.coalitions[-1]] - game[()]
    assert values(plan, game).sum(0) == pytest.approx(gained, abs=1e-10)


def test_players_that_add_the_same_have_the_same_value() -> None:
    """Symmetry: a game that depends on how many have joined shares its gain equally."""
    game = {coalition: np.array([len(coalition) ** 2 / 16]) for coalition in a_game(4, seed=0)}
    assert values(exact(4), game) == pytest.approx(np.full((4, 1), 0.25))


def test_a_player_that_adds_nothing_has_no_value() -> None:
    """The dummy's two means are equal to the last digit, so that its interval is that of no difference at all."""
    smaller = a_game(3, seed=1, examples=30)
    for plan, dummy in ((exact(4), 2), (sampled(4, pairs=4, seed=0), 2)):
        others = [player for player in range(4) if player != dummy]
        game = {c: smaller[tuple(others.index(p) for p in c if p != dummy)] for c in a_game(4, seed=0)}
        solved = solve(plan, played(plan, game))
        assert np.array_equal(solved.present[dummy], solved.absent[dummy])
        value, low, high = solved.interval(dummy, seed=0)
        assert value == 0
        assert low == pytest.approx(-high)
        assert 0.05 < high < 0.2


def test_the_values_of_a_mixed_game_are_the_mix_of_the_values() -> None:
    """Linearity."""
    one, two = a_game(4, seed=1), a_game(4, seed=2)
    both = {coalition: 0.3 * one[coalition] + 0.7 * two[coalition] for coalition in one}
    for plan in (exact(4), sampled(4, pairs=4, seed=5)):
        assert values(plan, both) == pytest.approx(0.3 * values(plan, one) + 0.7 * values(plan, two), abs=1e-9)


def test_drawn_orders_estimate_the_values_without_bias() -> None:
    """The mean over many seeds is the exact value, within what its spread allows; one seed alone is off."""
    game = a_game(7, seed=11, examples=1)
    truth = values(exact(7), game)[:, 0]
    found = np.array([values(sampled(7, pairs=2, seed=seed), game)[:, 0] for seed in range(600)])
    off = np.abs(found.mean(0) - truth) / (found.std(0, ddof=1) / 600**0.5)
    assert off.max() < 3.5
    assert np.abs(found[0] - truth).max() > 0.01


def test_a_sum_needs_no_luck() -> None:
    """Where nobody's gain depends on the others every order tells the values."""
    game = {c: np.array([sum(p + 1 for p in c) / 36]) for c in a_game(8, seed=0)}
    plan = sampled(8, pairs=4, seed=0)
    solved = solve(plan, played(plan, game))
    assert values(plan, game)[:, 0] == pytest.approx(np.arange(1, 9) / 36)
    assert solved.noise == pytest.approx(np.zeros(8), abs=1e-9)


@pytest.mark.parametrize("players", [0, 1, 6, 7])
def test_few_players_are_solved_exactly(players: int) -> None:
    plan = design(players, most=128, seed=0)
    assert plan.exact
    assert len(plan.coalitions) == 2**players


@pytest.mark.parametrize(("players", "most"), [(7, 64), (8, 128), (12, 300), (16, 128), (16, 400)])
def test_many_players_keep_within_what_may_be_evaluated(players: int, most: int) -> None:
    """Each coalition once, all but one player among them; equal seeds give equal coalitions, others do not."""
    plan = design(players, most=most, seed=3)
    assert not plan.exact
    assert most / 2 < len(plan.coalitions) <= most + 2  # four pairs of 16 players need 130
    assert len(set(plan.coalitions)) == len(plan.coalitions)
    assert set(combinations(range(players), players - 1)) < set(plan.coalitions)
    assert plan.coalitions == design(players, most=most, seed=3).coalitions
    assert plan.coalitions != design(players, most=most, seed=4).coalitions
    assert len(plan.present) >= LEAST_PAIRS


def _covered(trial: Callable[[int], tuple[Design, Game]], truth: NDArray[np.float64], trials: int) -> tuple[int, int]:
    """How many intervals hold the truth, and how many would without the noise of drawn orders."""
    inside = bare = 0
    for seed in range(trials):
        plan, game = trial(seed)
        solved = solve(plan, played(plan, game))
        for player, true in enumerate(truth):
            value, low, high = solved.interval(player, seed=seed)
            inside += low <= true <= high
            spread = (solved.present - solved.absent)[player].std() / len(game[()]) ** 0.5
            bare += abs(value - true) <= 1.96 * spread
    return inside, bare


def test_the_interval_covers_the_truth_about_95_times_in_100() -> None:
    """Examples are right or wrong at random, by chances that the coalition sets; the truth is the chances' game."""
    chances = a_game(3, seed=5, examples=1)
    truth = slow(3, chances)[:, 0]

    def trial(seed: int) -> tuple[Design, Game]:
        luck = np.random.default_rng(seed).random(50)  # the same example is hard for every coalition
        return exact(3), {coalition: (luck < chance).astype(float) for coalition, chance in chances.items()}

    inside, _ = _covered(trial, truth, 60)
    assert 0.9 * 180 <= inside <= 0.995 * 180


def test_the_interval_covers_what_the_orders_leave_open() -> None:
    """Examples hardly differ, so that what is unsure are the orders; resampling examples alone would miss the truth."""
    chances = a_game(8, seed=6, examples=1)
    truth = values(exact(8), chances)[:, 0]

    def trial(seed: int) -> tuple[Design, Game]:
        generator = np.random.default_rng(seed)
        game = {coalition: chance + 0.02 * generator.standard_normal(20) for coalition, chance in chances.items()}
        return sampled(8, pairs=5, seed=seed), game

    inside, bare = _covered(trial, truth, 40)
    assert 0.9 * 320 <= inside <= 0.99 * 320
    assert bare < 0.5 * 320


@pytest.mark.parametrize(("freedom", "quantile"), [(3, 3.182), (4, 2.776), (9, 2.262), (30, 2.042)])
def test_students_quantile_is_that_of_the_tables(freedom: int, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, rel=0.01)
