"""The verdict: may the mixture be shipped, or is something cheaper as good?"""

from collections.abc import Sequence
from typing import Literal

from hubexpert.records import Difference, Protocol, SystemScore

Verdict = Literal["ship", "ship-single", "do-not-ship"]

LABELS = {
    "majority": "the shots' commonest answer",
    "base": "the base",
    "base-shots": "the base with the shots in the prompt",
    "best-single": "the best single expert",
    "best-single-tuned": "the best single expert, tuned",
    "static": "the static mixture",
    "routed": "the routed mixture",
    "fresh-lora": "a fresh LoRA on the same data",
    "random-experts": "a mixture of random experts",
}
UNTRAINED = ("majority", "base", "base-shots")
SINGLES = ("best-single", "best-single-tuned", "fresh-lora")
SIGNIFICANT = 0.05


def judge(
    systems: Sequence[SystemScore], differences: Sequence[Difference], protocol: Protocol = "held-out"
) -> tuple[Verdict, str]:
    """The verdict and one sentence that gives its numbers, in points (hundredths).

    - `ship`: routed is shown to beat everything that needs no adapter (the base, the base with the shots in its prompt,
      the commonest answer) and every single adapter (the best expert, also tuned, and a fresh LoRA);
    - `ship-single`: it is shown to beat the former, but not one of the latter, which is cheaper;
    - `do-not-ship`: it is not even shown to beat the former.

    Shown means: the 95 % interval of the paired difference lies above zero, and, where there is a p-value, it is below
    0.05 after Holm's correction for all comparisons.

    Args:
        systems: the scores; `base`, `best-single` and `routed` at least.
        differences: routed minus each other system on the same examples.
        protocol: what kind of examples these are.

    Raises:
        ValueError: a system or a difference that the rules need is missing.
    """
    scores = {system.name: system for system in systems}
    against = {difference.second: difference for difference in differences if difference.first == "routed"}
    for name in ("base", "best-single"):
        if name not in against or name not in scores:
            raise ValueError(f"the verdict needs `{name}` and routed minus `{name}`")
    if "routed" not in scores:
        raise ValueError("the verdict needs `routed`")
    where = _examples(scores["routed"].n, protocol)
    if best := _best_as_good(UNTRAINED, scores, against):
        return "do-not-ship", _do_not_ship(best, scores, against, where) + _limits(protocol)
    if best := _best_as_good(SINGLES, scores, against):
        return "ship-single", _ship_single(best, scores, against, where) + _limits(protocol)
    return "ship", _ship(scores, against, where) + _limits(protocol)


def _limits(protocol: Protocol) -> str:
    if protocol == "held-out":
        return ""
    return " That says nothing of other examples, and its intervals are too narrow: the trainings share most shots."


def shown(difference: Difference) -> bool:
    """Whether the first is shown to be better."""
    return difference.low > 0 and (difference.adjusted is None or difference.adjusted < SIGNIFICANT)


def _best_as_good(names: Sequence[str], scores: dict[str, SystemScore], against: dict[str, Difference]) -> str | None:
    """Of these systems the best that routed is not shown to beat."""
    as_good = [name for name in names if name in against and not shown(against[name])]
    return max(as_good, key=lambda name: scores[name].value, default=None)


def _ship(scores: dict[str, SystemScore], against: dict[str, Difference], where: str) -> str:
    gains = ", ".join(f"{_gain(against[name])} over {LABELS[name]}" for name in ("base", *SINGLES) if name in against)
    routed = f"it scores {points(scores['routed'].value)} on {where}"
    costs = _costs(("routed",), scores)
    return f"Ship the mixture: {routed}, {gains}{costs}{_random(against)}{_unmeasured(against)}."


def _ship_single(best: str, scores: dict[str, SystemScore], against: dict[str, Difference], where: str) -> str:
    return (
        f"Ship {LABELS[best]} instead ({points(scores[best].value)}): the mixture scores "
        f"{points(scores['routed'].value)} on {where}, {_gain(against['base'])} over the base, "
        f"but {_gain(against[best])} against {LABELS[best]}, {_shows(against[best])}"
        f"{_costs((best, 'routed'), scores)}{_unmeasured(against)}."
    )


def _do_not_ship(best: str, scores: dict[str, SystemScore], against: dict[str, Difference], where: str) -> str:
    return (
        f"Do not ship: the mixture scores {points(scores['routed'].value)} on {where} against "
        f"{points(scores[best].value)} for {LABELS[best]}, {_gain(against[best])}, {_shows(against[best])}"
        f"{_unmeasured(against)}."
    )


def _costs(names: Sequence[str], scores: dict[str, SystemScore]) -> str:
    """What each stores and how long it takes; empty where that was not measured."""
    told = []
    for name in names:
        cost = scores[name].cost
        if cost is not None and cost.parameters:
            time = f" and {cost.latency:.2f} times the base's time" if cost.latency is not None else ""
            told.append(f"{LABELS[name]} takes {millions(cost.parameters)} parameters (rank {cost.rank}){time}")
    return f"; {', '.join(told)}" if told else ""


def millions(count: int) -> str:
    """A number of parameters: 950, 12 K, 4.2 M."""
    if count < 1000:
        return str(count)
    return f"{count / 1e3:.0f} K" if count < 1e6 else f"{count / 1e6:.1f} M"


def _examples(n: int, protocol: Protocol) -> str:
    if protocol == "cross-validation":
        return f"the {n} shots by cross-validation"
    return "1 held-out example" if n == 1 else f"{n} held-out examples"


def _shows(difference: Difference) -> str:
    return "which is worse" if difference.high < 0 else "which shows no gain"


def _random(against: dict[str, Difference]) -> str:
    """A warning where the choice of experts made no difference that could be shown."""
    chance = against.get("random-experts")
    if chance is None or shown(chance):
        return ""
    gain = f"{_gain(chance)} over {LABELS['random-experts']}"
    return f" (though only {gain}, so the choice of experts is not shown to matter)"


def _unmeasured(against: dict[str, Difference]) -> str:
    return "" if "fresh-lora" in against else "; it was not compared with a fresh LoRA on the same data"


def _gain(difference: Difference) -> str:
    return f"{signed(difference.value)} points [{signed(difference.low)}, {signed(difference.high)}]"


def told_p(p: float | None) -> str:
    """A p-value for a table: 0.034, or that it is below what is worth telling."""
    if p is None:
        return "-"
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"


def points(value: float) -> str:
    """A score in points (hundredths)."""
    return f"{100 * value:.1f}"


def signed(value: float) -> str:
    """A difference in points, with its sign unless it rounds to zero."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text
