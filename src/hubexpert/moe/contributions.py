"""Who contributes what: Shapley values of the experts on the task's metric, and what is lost without each.

The value of a group of experts is the mean of the metric where all others are silent: the router goes on as before,
but what it gives to the others adds nothing and goes to nobody else; the shared expert always speaks. So the empty
group is the base with the shared expert, and the whole group the routed mixture.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from torch import nn

from hubexpert.examine import examine
from hubexpert.lm import Lm
from hubexpert.moe.adapter import gated_layers
from hubexpert.progress import track
from hubexpert.records import Contribution, Contributions, Example, Source
from hubexpert.shapley import MOST_COALITIONS, Coalition, design, solve
from hubexpert.statistics import paired
from hubexpert.workspace import METHOD, Journal, fingerprint

PER_CALL = 64  # examples looked at together


@contextmanager
def heard(model: nn.Module, experts: Collection[int]) -> Iterator[None]:
    """Within the block only these experts, and the shared one, add anything; afterwards all do."""
    layers = [gate for gate, _ in gated_layers(model).values()]
    try:
        for layer in layers:
            layer.silence([expert for expert in range(len(layer.mean)) if expert not in experts])
        yield
    finally:
        for layer in layers:
            layer.silence(())


def contributions(
    model: Lm,
    experts: Sequence[Source],
    examples: Sequence[Example],
    metric: str,
    *,
    max_new_tokens: int,
    journal: Journal,
    key_parts: Mapping[str, object],
    seed: int,
    most: int = MOST_COALITIONS,
    quiet: bool = False,
) -> Contributions:
    """The experts' Shapley values and leave-one-out losses on held-out examples, with 95 % intervals.

    All 2^N groups of experts are measured where there are at most `most`; beyond, those met in random orders of
    joining and their reverses (`shapley.design`), and the intervals cover what is left to chance by that, too.
    Leave-one-out is the paired difference between the whole mixture and the mixture with one expert silent.

    Args:
        model: the routed mixture, loaded; every expert speaks again when this returns.
        experts: who they are, in the mixture's order.
        examples: the held-out examples, at least one.
        metric: the task's.
        max_new_tokens: the longest answer.
        journal: keeps every finished group's values; a killed run goes on from there.
        key_parts: what tells this mixture from others in the journal: base, precision, the digests of its files.
        seed: of the intervals and the orders.
        most: how many groups may be measured; four pairs of orders are drawn at least.
        quiet: no progress.

    Raises:
        ValueError: the mixture has not as many experts, or there are no examples.
    """
    _check(model.model, experts)
    plan = design(len(experts), most=most, seed=seed)
    mixture = fingerprint(
        {**key_parts, "method": METHOD, "metric": metric, "longest": max_new_tokens, "test": list(examples)}
    )
    done, measured = journal.read(), []
    for coalition in track(plan.coalitions, "measuring contributions", quiet=quiet):
        key = fingerprint({"mixture": mixture, "heard": list(coalition)})
        if key not in done:
            done[key] = _answer(model, coalition, examples, metric, max_new_tokens)
            journal.append(key, done[key])
        measured.append([float(value) for value in done[key]])
    values = dict(zip(plan.coalitions, measured, strict=True))
    solved, everyone = solve(plan, np.array(measured)), plan.coalitions[-1]
    found = []
    for expert, source in enumerate(experts):
        shapley, low, high = solved.interval(expert, seed=seed)
        without = tuple(other for other in everyone if other != expert)
        lost, loo_low, loo_high = paired(values[everyone], values[without], seed=seed)
        found.append(
            Contribution(
                source=source,
                shapley=shapley,
                low=low,
                high=high,
                leave_one_out=lost,
                loo_low=loo_low,
                loo_high=loo_high,
            )
        )
    return Contributions(
        metric=metric,
        n=len(examples),
        coalitions=len(plan.coalitions),
        exact=plan.exact,
        empty=float(np.mean(values[()])),
        whole=float(np.mean(values[everyone])),
        experts=tuple(found),
    )


def _check(model: nn.Module, experts: Sequence[Source]) -> None:
    held = {len(gate.mean) for gate, _ in gated_layers(model).values()} or {0}
    if held != {len(experts)}:
        raise ValueError(f"the mixture has {max(held)} routed experts, not {len(experts)}")


def _answer(
    model: Lm, coalition: Coalition, examples: Sequence[Example], metric: str, max_new_tokens: int
) -> list[float]:
    """The metric's value of each example while only these experts are heard."""
    values: list[float] = []
    with heard(model.model, coalition):
        for start in range(0, len(examples), PER_CALL):
            some = examples[start : start + PER_CALL]
            values += examine(model, some, metric, max_new_tokens=max_new_tokens)[0].values
    return values
