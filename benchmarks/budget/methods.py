"""Ways to spend a budget of evaluations, as plans, and a race that runs a plan on many draws at once."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from budget.answers import Bools
from hubexpert.experts.halving import Rung, cost, rungs
from hubexpert.statistics import Z

Ints = NDArray[np.int64]


def race(correct: Bools, plan: Sequence[Rung], keep: int | None = None) -> tuple[Ints, Ints]:
    """Run a plan by exact match alone: (places, evaluations).

    Places are the adapters of each draw [draws, adapters], best first, those dropped later before those dropped
    earlier. With `keep`, adapters are dropped early and the savings spent as `hubexpert.experts.halving` does it;
    `replay.agrees` compares the two.
    """
    draws, adapters, shots = correct.shape
    rows = np.arange(draws)[:, None]
    alive = np.zeros((draws, adapters), dtype=bool)
    alive[:, : plan[0].survivors] = True  # fewer than all: a random part, since the order is
    reached = np.where(alive, 0, -1)
    points = np.zeros((draws, adapters), dtype=np.int64)
    spent = np.zeros(draws, dtype=np.int64)
    seen = 0
    for step, rung in enumerate(plan):
        if step:
            order = np.argsort(np.where(alive, -points, shots + 1), axis=1, kind="stable")
            place = np.empty_like(order)
            place[rows, order] = np.arange(adapters)
            most = np.full(draws, rung.survivors)
            if keep:
                rest = cost(plan) - cost(plan[:step])
                most = rung.survivors * (cost(plan) - spent) // rest
                alive &= ~((place >= keep) & _behind(correct[:, :, :seen], points, order[:, keep - 1], shots))
            alive &= place < most[:, None]
        points += np.where(alive, correct[:, :, seen : rung.shots].sum(axis=2), 0)
        spent += alive.sum(axis=1) * (rung.shots - seen)
        seen = rung.shots
        reached[alive] = step
    return np.argsort(-(reached * (shots + 1) + points), axis=1, kind="stable"), spent


def _behind(correct: Bools, points: Ints, last: Ints, shots: int) -> Bools:
    """Who is clearly behind the adapter `last` [draws] on the shots so far."""
    draws, _, seen = correct.shape
    rows = np.arange(draws)
    apart = (correct != correct[rows, last][:, None, :]).sum(axis=2)
    mean = (points[rows, last][:, None] - points) / seen
    return np.asarray(mean > Z * np.sqrt((apart + 1) / (seen + 1) * (1 / seen - 1 / shots)))


def plans(adapters: int, shots: int, keep: int, saving: float) -> dict[str, tuple[tuple[Rung, ...], int | None]]:
    """Name of a method -> its plan for the same budget, and `keep` where it drops by paired differences."""
    ours = rungs(adapters, shots, keep, saving)
    return {
        "halving": (ours, keep),
        "halving, no early drops": (ours, None),
        "sequential halving": (sequential_halving(adapters, shots, saving), None),
        "successive rejects": (successive_rejects(adapters, shots, saving), None),
        "full on fewer shots": ((Rung(max(1, int(shots / saving)), adapters),), None),
        "random search": ((Rung(shots, max(1, int(adapters / saving))),), None),
    }


def sequential_halving(adapters: int, shots: int, saving: float) -> tuple[Rung, ...]:
    """Karnin et al. 2013: log2 of the pool rounds of equal cost, the better half goes on; no more than all shots."""
    rounds, plan, seen, alive = math.ceil(math.log2(adapters)), [], 0.0, adapters
    for _ in range(rounds):
        seen += adapters * shots / saving / rounds / alive
        plan.append(Rung(min(shots, max(1, int(seen))), alive))
        alive = math.ceil(alive / 2)
    return tuple(plan)


def successive_rejects(adapters: int, shots: int, saving: float) -> tuple[Rung, ...]:
    """Audibert et al. 2010: the worst one goes after each phase; no more than all shots."""
    budget, log = adapters * shots / saving, 0.5 + sum(1 / i for i in range(2, adapters + 1))
    return tuple(
        Rung(min(shots, math.ceil((budget - adapters) / log / (adapters + 1 - phase))), adapters + 1 - phase)
        for phase in range(1, adapters)
    )
