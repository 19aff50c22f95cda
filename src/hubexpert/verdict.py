"""The verdict: may the mixture be shipped, or is something cheaper as good?"""

from collections.abc import Sequence
from typing import Literal

from hubexpert.records import Difference, SystemScore

Verdict = Literal["ship", "ship-single", "do-not-ship"]

LABELS = {
    "base": "the base",
    "best-single": "the best single expert",
    "static": "the static mixture",
    "routed": "the routed mixture",
    "fresh-lora": "a fresh LoRA on the same data",
    "random-experts": "a mixture of random experts",
}
SINGLES = ("best-single", "fresh-lora")


def judge(systems: Sequence[SystemScore], differences: Sequence[Difference]) -> tuple[Verdict, str]:
    """The verdict and one sentence that gives its numbers, in points (hundredths).

    - `ship`: routed beats base, the best single expert and (if measured) a fresh LoRA, each with a 95 % interval of
      the paired difference above zero;
    - `ship-single`: routed beats base, but is not shown to beat one of those single adapters;
    - `do-not-ship`: routed is not shown to beat base.

    Args:
        systems: the scores; `base`, `best-single` and `routed` at least.
        differences: routed minus each other system on the same examples.

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
    if not _above_zero(against["base"]):
        return "do-not-ship", _do_not_ship(scores, against)
    as_good = [name for name in SINGLES if name in against and not _above_zero(against[name])]
    if as_good:
        best = max(as_good, key=lambda name: scores[name].value)
        return "ship-single", _ship_single(best, scores, against)
    return "ship", _ship(scores, against)


def _above_zero(difference: Difference) -> bool:
    """Whether the whole interval lies above zero: the first is shown to be better."""
    return difference.low > 0


def _ship(scores: dict[str, SystemScore], against: dict[str, Difference]) -> str:
    gains = ", ".join(f"{_gain(against[name])} over {LABELS[name]}" for name in ("base", *SINGLES) if name in against)
    routed = f"it scores {points(scores['routed'].value)} on {_examples(scores)}"
    return f"Ship the mixture: {routed}, {gains}{_random(against)}{_unmeasured(against)}."


def _ship_single(best: str, scores: dict[str, SystemScore], against: dict[str, Difference]) -> str:
    return (
        f"Ship {LABELS[best]} instead ({points(scores[best].value)}): the mixture scores "
        f"{points(scores['routed'].value)} on {_examples(scores)}, {_gain(against['base'])} over the base, "
        f"but {_gain(against[best])} against {LABELS[best]}, {_shown(against[best])}{_unmeasured(against)}."
    )


def _do_not_ship(scores: dict[str, SystemScore], against: dict[str, Difference]) -> str:
    base = against["base"]
    return (
        f"Do not ship: the mixture scores {points(scores['routed'].value)} on {_examples(scores)} against "
        f"{points(scores['base'].value)} for the base, {_gain(base)}, {_shown(base)}{_unmeasured(against)}."
    )


def _examples(scores: dict[str, SystemScore]) -> str:
    n = scores["routed"].n
    return "1 held-out example" if n == 1 else f"{n} held-out examples"


def _shown(difference: Difference) -> str:
    return "which is worse" if difference.high < 0 else "which shows no gain"


def _random(against: dict[str, Difference]) -> str:
    """A warning where the choice of experts made no difference that could be shown."""
    chance = against.get("random-experts")
    if chance is None or _above_zero(chance):
        return ""
    gain = f"{_gain(chance)} over {LABELS['random-experts']}"
    return f" (though only {gain}, so the choice of experts is not shown to matter)"


def _unmeasured(against: dict[str, Difference]) -> str:
    return "" if "fresh-lora" in against else "; it was not compared with a fresh LoRA on the same data"


def _gain(difference: Difference) -> str:
    return f"{signed(difference.value)} points [{signed(difference.low)}, {signed(difference.high)}]"


def points(value: float) -> str:
    """A score in points (hundredths)."""
    return f"{100 * value:.1f}"


def signed(value: float) -> str:
    """A difference in points, with its sign unless it rounds to zero."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text
