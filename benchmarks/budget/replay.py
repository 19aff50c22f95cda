"""Halving by the product's own functions, on answers that are already there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from budget.answers import Bools, Floats
from budget.methods import Ints
from hubexpert.experts.halving import room, rungs, survivors


def halve(values: Floats, nlls: Floats, by: Sequence[str], keep: int, count: int) -> tuple[list[int], int]:
    """The `count` best, best first, and the evaluations they took; arrays are [adapters, shots] in the shots' order."""
    adapters, shots = values.shape
    plan = rungs(adapters, shots, keep)
    alive, spent, seen = list(range(adapters)), 0, 0
    for step, rung in enumerate(plan):
        if step:
            most = room(plan, step, spent)
            go = survivors(values[alive, :seen], nlls[alive, :seen], by=by, keep=keep, most=most, shots=shots)
            alive = [alive[index] for index in go]
        spent += len(alive) * (rung.shots - seen)
        seen = rung.shots
    return [alive[index] for index in best(values[alive], nlls[alive], by, count)], spent


def best(values: Floats, nlls: Floats, by: Sequence[str], count: int) -> list[int]:
    """The `count` best, best first, as selection orders them: each prefix is who would survive."""
    shots = values.shape[1]
    order: list[int] = []
    for keep in range(1, count + 1):
        order += [i for i in survivors(values, nlls, by=by, keep=keep, most=keep, shots=shots) if i not in order]
    return order


def agrees(correct: Bools, places: Ints, spent: Ints, keep: int) -> bool:
    """Whether a race ended as the product's functions do, on the first draw."""
    values = correct[0].astype(np.float64)
    finalists, cost = halve(values, np.zeros_like(values), ["exact_match"], keep, keep)
    return finalists == places[0, : len(finalists)].tolist() and cost == spent[0]


@dataclass(frozen=True)
class Scores:
    """Full scores of a pool on one task: adapters, and [adapters, examples] values and NLLs."""

    adapters: tuple[str, ...]
    values: Floats
    nlls: Floats


def read_scores(path: Path) -> Scores:
    """The scores in a JSON file {adapter: {"values": [...], "nlls": [...]}}, in order of name."""
    told = dict(sorted(json.loads(path.read_text()).items()))
    values = np.array([entry["values"] for entry in told.values()], dtype=np.float64)
    nlls = np.array([entry["nlls"] for entry in told.values()], dtype=np.float64)
    if values.shape != nlls.shape or values.ndim != 2:
        raise ValueError(f"{path}: every adapter needs as many values as nlls, and all equally many")
    return Scores(tuple(told), values, nlls)


@dataclass(frozen=True)
class Replayed:
    """What draws of shots from real scores cost and chose: one entry a draw; regrets in the metric's units."""

    saved: Floats
    regret: Floats
    group: Floats
    same: Floats


def replay(scores: Scores, *, shots: int, keep: int, count: int, by: Sequence[str], draws: int, seed: int) -> Replayed:
    """Halving against full on random subsets of `shots` examples, the pool in random order.

    The truth is the mean value over all examples. `regret` is that of full's pick minus that of halving's, `group` the
    same of the means of the `count` best (at most `keep`), `same` the share of these that halving has too.
    """
    generator = np.random.default_rng(seed)
    truth = scores.values.mean(axis=1)
    rows = []
    for _ in range(draws):
        pool = generator.permutation(len(scores.adapters))
        part = generator.permutation(scores.values.shape[1])[:shots]
        values, nlls = scores.values[np.ix_(pool, part)], scores.nlls[np.ix_(pool, part)]
        finalists, spent = halve(values, nlls, by, keep, min(count, keep))
        full, ours = pool[best(values, nlls, by, min(count, keep))], pool[finalists]
        rows.append(
            (
                values.size / spent,
                truth[full[0]] - truth[ours[0]],
                truth[full].mean() - truth[ours].mean(),
                len(set(full) & set(ours)) / len(full),
            )
        )
    return Replayed(*np.array(rows).T)
