"""What the card says of the comparison: the systems, what they cost, and what each expert contributes."""

from typing import Any

from markupsafe import Markup

from hubexpert.lock import Lock
from hubexpert.metrics import BINARY
from hubexpert.records import Contribution, SystemScore
from hubexpert.verdict import millions, points, signed, told_p

NOTHING = Markup("-")
MEANINGS = {
    "majority": "the shots' commonest output every time",
    "base": "the base alone",
    "base-shots": "the base with the shots in its prompt",
    "best-single": "the best single expert by the shots, as published",
    "best-single-tuned": "the same, trained further on the shots",
    "static": "this adapter in plain PEFT",
    "routed": "this adapter with hubexpert",
    "fresh-lora": "a fresh LoRA on the same data",
    "random-experts": "the same mixture of random experts, at the mixture's learning rate and epochs",
    "lorahub": "LoraHub on the same experts",
    "arrow": "PEFT's Arrow on the same experts",
    "x-lora": "PEFT's X-LoRA on the same experts",
}


def comparison(lock: Lock) -> dict[str, Any]:
    """The systems as rows, with routed minus each of them."""
    gains = {d.second: f"{signed(d.value)} [{signed(d.low)}, {signed(d.high)}]" for d in lock.report.differences}
    adjusted = {d.second: d.adjusted for d in lock.report.differences}
    rows = [
        {
            "name": system.name,
            "meaning": MEANINGS.get(system.name, ""),
            "note": system.note,
            "value": points(system.value),
            "interval": f"{points(system.low)} to {points(system.high)}",
            "gain": Markup(gains.get(system.name, "")),  # noqa: S704 - numbers only
            "p": Markup(told_p(adjusted.get(system.name))),  # noqa: S704 - a number
            **_cost(system),
        }
        for system in lock.report.systems
    ]
    routed = next((system for system in lock.report.systems if system.name == "routed"), None)
    chance = lock.report.chance
    return {
        "systems": rows,
        "measured": [system.name for system in lock.report.systems],
        "precision": points(max(routed.high - routed.value, routed.value - routed.low)) if routed else "-",
        "contributions": _contributions(lock),
        "test": "McNemar's exact test" if lock.scores.metric in BINARY else "sign flips, or McNemar's exact test",
        "near_chance": points(chance) if routed and chance is not None and routed.low <= chance else None,
    }


def _cost(system: SystemScore) -> dict[str, str]:
    """What the system stores and how long it takes, for the table."""
    cost = system.cost
    return {
        "parameters": millions(cost.parameters) if cost and cost.parameters else NOTHING,
        "rank": str(cost.rank) if cost and cost.rank else NOTHING,
        "latency": f"{cost.latency:.2f}" if cost and cost.latency is not None else NOTHING,
    }


def _contributions(lock: Lock) -> dict[str, Any] | None:
    """The experts' contributions as rows, in points."""
    found = lock.report.contributions
    if found is None:
        return None

    def row(one: Contribution) -> dict[str, Any]:
        return {
            "link": one.source,
            "shapley": in_points(one.shapley),
            "interval": in_points(one.low, one.high),
            "lost": in_points(one.leave_one_out),
            "lost_interval": in_points(one.loo_low, one.loo_high),
        }

    told = {"n": found.n, "coalitions": found.coalitions, "exact": found.exact}
    ends = {"empty": points(found.empty), "whole": points(found.whole)}
    return {**told, **ends, "rows": [row(one) for one in found.experts]}


def in_points(*values: float) -> Markup:
    """A value in points, or the two ends of its interval."""
    return Markup(" to ".join(signed(value) for value in values))  # noqa: S704 - numbers only
