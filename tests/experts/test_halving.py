"""The plan, who survives and the order of the shots, against slow references; and whole runs on planted answers."""

import math
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hubexpert.experts.halving import Rung, affordable, cost, finalists, order, room, rungs, survivors
from hubexpert.records import Example

BOTH = ("exact_match", "perplexity")
Table = list[list[float]]


def slow_cost(plan: tuple[Rung, ...]) -> int:
    """Tick every pair of adapter and shot that the plan measures."""
    return len({(adapter, shot) for rung in plan for adapter in range(rung.survivors) for shot in range(rung.shots)})


def slow_rungs(adapters: int, shots: int, keep: int, budget: int) -> list[tuple[int, int]]:
    """Raise the power by hundredths until the ticked pairs fit, then leave out rungs after which nobody is dropped."""
    least = min(keep, adapters)
    first = max(1, round(0.4 * (budget - least * shots) / adapters))
    steps = []
    for rung in range(8):
        step = math.ceil(first * (shots / first) ** (rung / 7) - 1e-9)
        if step not in steps:
            steps.append(step)
    power = 0.0
    while True:
        counts = [max(least, math.floor(adapters * (first / step) ** power + 1e-9)) for step in steps]
        if slow_cost(tuple(Rung(*pair) for pair in zip(steps, counts, strict=True))) <= budget:
            break
        power = round(power + 0.01, 2)
    return [(s, n) for i, (s, n) in enumerate(zip(steps, counts, strict=True)) if n not in counts[i + 1 :]]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 50), st.integers(1, 60), st.integers(1, 8))
def test_the_plan_is_the_slow_references(adapters: int, shots: int, keep: int) -> None:
    """Geometric shots, survivors by the smallest power that fits, counted pair by pair."""
    plan = rungs(adapters, shots, keep)
    expected = slow_rungs(adapters, shots, keep, affordable(adapters, shots, keep))
    assert [(rung.shots, rung.survivors) for rung in plan] == expected
    assert cost(plan) == slow_cost(plan)


@given(st.integers(1, 2000), st.integers(1, 4000), st.integers(1, 10))
def test_a_plan_narrows_from_the_whole_pool_on_few_shots_to_at_least_keep_on_all(
    adapters: int, shots: int, keep: int
) -> None:
    """The first rung measures everybody, the last one all shots; in between shots grow and survivors shrink."""
    plan = rungs(adapters, shots, keep)
    assert plan[0].survivors == adapters
    assert plan[-1].shots == shots
    assert plan[-1].survivors >= min(keep, adapters)
    for rung, after in pairwise(plan):
        assert rung.shots < after.shots
        assert rung.survivors > after.survivors
    assert cost(plan) <= affordable(adapters, shots, keep) <= adapters * shots


@given(st.integers(1, 300), st.integers(10, 4000), st.integers(1, 10))
def test_four_times_fewer_evaluations_from_six_times_keep_adapters_on(extra: int, shots: int, keep: int) -> None:
    """The bound that the recipe promises, by construction; with four experts it holds from thirty adapters on."""
    adapters = 6 * keep + extra - 1
    assert 4 * cost(rungs(adapters, shots, keep)) <= adapters * shots


@pytest.mark.parametrize(("adapters", "expected"), [(3, 3), (16, 5), (38, 5), (47, 5), (48, 6), (64, 8), (1000, 8)])
def test_finalists_are_one_more_than_the_experts_and_at_most_the_shortlist(adapters: int, expected: int) -> None:
    """M = 8, N = 4: an eighth of the pool between 5 and 8."""
    assert finalists(adapters, candidates=8, experts=4) == expected


def test_a_small_pool_saves_what_is_possible() -> None:
    """Sixteen adapters of which five are measured in full cost less than half, five of six cost all."""
    assert 2 < 16 * 50 / cost(rungs(16, 50, 5)) < 4
    assert rungs(6, 50, 5) == (Rung(50, 6),)
    assert rungs(3, 50, 5) == (Rung(50, 3),)


def slow_survivors(values: Table, nlls: Table, by: tuple[str, ...], keep: int, most: int, shots: int) -> list[int]:
    """The definition, adapter by adapter and shot by shot."""
    n, seen = len(values), len(values[0])

    def rank(numbers: list[float], i: int) -> float:
        return 1 + sum(x < numbers[i] for x in numbers) + (sum(x == numbers[i] for x in numbers) - 1) / 2

    misses = [-fmean(row) for row in values]
    perplexities = [fmean(math.exp(nll) for nll in row) for row in nlls]
    signals = [signal for name, signal in (("exact_match", misses), ("perplexity", perplexities)) if name in by]
    places = sorted(range(n), key=lambda i: (sum(rank(s, i) for s in signals), perplexities[i], i))
    going = places[:keep]
    for i in places[keep:most]:
        last = places[keep - 1]
        clear = []
        if "exact_match" in by:
            clear.append([values[last][e] - values[i][e] for e in range(seen)])
        if "perplexity" in by:
            clear.append([nlls[i][e] - nlls[last][e] for e in range(seen)])
        for differences in clear:
            variance = (sum(d * d for d in differences) + 1) / (seen + 1)
            if fmean(differences) <= 1.959963984540054 * math.sqrt(variance * (1 / seen - 1 / shots)):
                going.append(i)
                break
    return sorted(going)


@st.composite
def measured(draw: st.DrawFn) -> tuple[Table, Table]:
    """Quarters and eighths, so that sums are exact and ties common."""
    n, seen = draw(st.integers(1, 9)), draw(st.integers(1, 12))

    def table(top: int) -> st.SearchStrategy[Table]:
        row = st.lists(st.integers(0, top).map(lambda i: i / 4), min_size=seen, max_size=seen)
        return st.lists(row, min_size=n, max_size=n)

    return draw(table(4)), draw(table(12))


@settings(max_examples=300, deadline=None)
@given(measured(), st.sampled_from([BOTH, ("exact_match",), ("perplexity",)]), st.data())
def test_who_survives_is_the_slow_references(
    scores: tuple[Table, Table], by: tuple[str, ...], data: st.DataObject
) -> None:
    """Sum of average ranks, ties by perplexity, then as given; paired intervals against the last that must go on."""
    values, nlls = scores
    perplexities = sorted(fmean(math.exp(nll) for nll in row) for row in nlls)
    gaps = [b / a - 1 for a, b in pairwise(perplexities)]
    assume(all(gap == 0 or gap > 1e-9 for gap in gaps))  # equal but for the order of summation
    keep = data.draw(st.integers(1, len(values)))
    most = data.draw(st.integers(keep, len(values)))
    shots = len(values[0]) + data.draw(st.integers(0, 40))
    found = survivors(np.array(values), np.array(nlls), by=by, keep=keep, most=most, shots=shots)
    assert found == slow_survivors(values, nlls, by, keep, most, shots)


def test_a_clear_loss_on_the_same_shots_ends_it_early_and_a_close_one_does_not() -> None:
    """Room for all, and yet who is worse on nearly every shot goes; who wins as often as it loses stays."""
    best, close, bad = [1.0] * 20 + [0.0] * 20, [0.0, 1.0] * 20, [0.0] * 40
    values, nlls = np.array([best, close, bad]), np.zeros((3, 40))
    assert survivors(values, nlls, by=["exact_match"], keep=1, most=3, shots=100) == [0, 1]


def test_a_perplexity_beyond_all_numbers_is_only_the_worst() -> None:
    """Exp of a huge NLL is cut as in scores; nothing overflows."""
    nlls = np.array([[2.0, 2.0], [5000.0, 2.0], [3.0, 3.0]])
    assert survivors(np.zeros((3, 2)), nlls, by=["perplexity"], keep=2, most=2, shots=50) == [0, 2]


Measure = Callable[[list[int], int, int], None]


def halved(values: np.ndarray, nlls: np.ndarray, keep: int, measured: Measure) -> list[int]:
    """The finalists of a whole run; `measured` is told who was measured from which shot to which."""
    adapters, shots = values.shape
    plan = rungs(adapters, shots, keep)
    alive, spent, seen = list(range(adapters)), 0, 0
    for step, rung in enumerate(plan):
        if step:
            most = room(plan, step, spent)
            assert most >= rung.survivors
            done = values[alive, :seen], nlls[alive, :seen]
            alive = [alive[i] for i in survivors(*done, by=BOTH, keep=keep, most=most, shots=shots)]
        measured(alive, seen, rung.shots)
        spent += len(alive) * (rung.shots - seen)
        seen = rung.shots
    return alive


@st.composite
def pools(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Random answers of a pool whose adapters are of different strength, and `keep`."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    adapters, shots, keep = draw(st.integers(1, 60)), draw(st.integers(1, 120)), draw(st.integers(1, 6))
    spread = draw(st.sampled_from([0.0, 0.2, 0.6]))  # the more, the more are dropped early
    strength = 0.5 + spread * (generator.random((adapters, 1)) - 0.5)
    values = (generator.random((adapters, shots)) < strength).astype(np.float64)
    return values, 2 - strength + generator.random((adapters, shots)), keep


@settings(max_examples=150, deadline=None)
@given(pools())
def test_a_run_keeps_to_its_budget_and_measures_all_on_the_same_shots(
    pool: tuple[np.ndarray, np.ndarray, int],
) -> None:
    """Every survivor has seen the same prefix, finalists all shots, and what is saved early is not overspent later."""
    values, nlls, keep = pool
    adapters, shots = values.shape
    seen = np.zeros((adapters, shots), dtype=int)

    def measure(alive: list[int], start: int, stop: int) -> None:
        seen[alive, start:stop] += 1

    finalists_ = halved(values, nlls, keep, measure)
    assert seen.max() == 1
    assert seen.sum() <= affordable(adapters, shots, keep)
    assert len(finalists_) >= min(keep, adapters)
    assert (seen[finalists_] == 1).all()
    assert (np.diff(seen, axis=1) <= 0).all()  # prefixes


@settings(max_examples=100, deadline=None)
@given(pools(), st.randoms(use_true_random=False))
def test_order_of_the_pool_changes_nothing(pool: tuple[np.ndarray, np.ndarray, int], random: object) -> None:
    """Where no two perplexities are equal, the survivors are a function of the set of adapters."""
    values, nlls, keep = pool
    shuffled = list(range(len(values)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    nothing: Measure = lambda alive, start, stop: None  # noqa: E731
    first = halved(values, nlls, keep, nothing)
    second = halved(values[shuffled], nlls[shuffled], keep, nothing)
    assert first == sorted(shuffled[i] for i in second)


@settings(max_examples=100, deadline=None)
@given(pools(), st.data())
def test_a_clearly_best_adapter_always_survives(pool: tuple[np.ndarray, np.ndarray, int], data: st.DataObject) -> None:
    """Right wherever anybody is, and surer than anybody: it is among the finalists whatever the noise."""
    values, nlls, keep = pool
    best = data.draw(st.integers(0, len(values) - 1))
    values[best], nlls[best] = values.max(axis=0), nlls.min(axis=0) - 0.01
    assert best in halved(values, nlls, keep, lambda alive, start, stop: None)


def test_refused_adapters_leave_room_for_others() -> None:
    """Half the pool is refused in the first rung: their share goes to the later rungs, within the plan's cost."""
    plan = rungs(40, 100, 5)
    spent = 20 * plan[0].shots
    assert room(plan, 1, 40 * plan[0].shots) == plan[1].survivors
    assert room(plan, 1, spent) > plan[1].survivors
    for step in range(1, len(plan)):
        spent += room(plan, step, spent) * (plan[step].shots - plan[step - 1].shots)
    assert spent <= cost(plan)


def examples(outputs: list[str]) -> list[Example]:
    return [Example(input=f"question {i}", output=output) for i, output in enumerate(outputs)]


@given(st.lists(st.sampled_from(["yes", "no"]), min_size=1, max_size=60), st.integers(0, 2**32 - 1))
def test_every_prefix_has_its_share_of_each_output(outputs: list[str], seed: int) -> None:
    """With two classes no prefix is more than two examples away from the proportion of the whole."""
    found = order(examples(outputs), seed)
    assert sorted(found) == list(range(len(outputs)))
    for stop in range(1, len(outputs) + 1):
        yes = sum(outputs[i] == "yes" for i in found[:stop])
        assert abs(yes - stop * outputs.count("yes") / len(outputs)) < 2


@given(st.lists(st.text(max_size=3), max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_file_does_not_matter(outputs: list[str], random: object) -> None:
    """The same examples in another order are measured in the same order."""
    first = examples(outputs)
    second = list(first)
    random.shuffle(second)  # type: ignore[attr-defined]
    assert [first[i] for i in order(first, 7)] == [second[i] for i in order(second, 7)]


def test_the_seed_shuffles_the_shots() -> None:
    """Equal seeds give equal orders, others another, also where every output stands once."""
    shots = examples([f"answer {i}" for i in range(20)])
    assert order(shots, 1) == order(shots, 1)
    assert order(shots, 1) != order(shots, 2)
    assert order(shots, 1) != list(range(20))
