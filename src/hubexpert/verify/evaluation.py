"""The measurement again: static and routed on a file of examples, by the metric and the protocol of the lock."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

from hubexpert.errors import HubExpertError
from hubexpert.evaluate import answered
from hubexpert.examine import answer_length
from hubexpert.lm import Lm, load_lm
from hubexpert.lock import Lock
from hubexpert.moe.adapter import load
from hubexpert.recipe import is_folder, parse_recipe
from hubexpert.records import Example, SystemScore
from hubexpert.retrieval import open_knowledge
from hubexpert.shots import digest
from hubexpert.statistics import bootstrap
from hubexpert.verdict import points, signed
from hubexpert.verify.check import Check

EQUAL = 1e-9  # of a mean


def evaluation_checks(lock: Lock, folder: Path, test: Sequence[Example], *, quiet: bool) -> Iterator[Check]:
    """What static and routed score on the examples, beside what the lock says.

    Args:
        lock: says how to measure, and what came of it.
        folder: the expert's files, which have been checked.
        test: the examples, with the instruction of the lock's recipe.
        quiet: no progress.

    Raises:
        HubExpertError: base or texts cannot be had, or do not fit.
    """
    recipe = parse_recipe(lock.recipe, name="the recipe in the lock")
    if is_folder(lock.base.repo):
        raise HubExpertError("The base is a folder of the author's machine.", fix="ask the author for it")
    model = load_lm(lock.base, quantize=recipe.quantize)
    asked = asked_of(model, lock, folder, test, quiet=quiet)
    longest, apart = lock.report.longest or answer_length(model.tokenizer, test), _apart(lock, test)
    for system in lock.report.systems:
        if system.name in ("static", "routed"):
            label = f"evaluating {system.name}"
            with opened(model, folder, routed=system.name == "routed") as form:
                values = answered(form, asked, lock.scores.metric, longest=longest, label=label, quiet=quiet)
            yield _compared(lock, system, values, apart, seed=recipe.seed)


def asked_of(
    model: Lm, lock: Lock, folder: Path, test: Sequence[Example], *, texts: Sequence[str] = (), quiet: bool
) -> tuple[Example, ...]:
    """The examples as this expert is asked: with passages of its own knowledge, where it has any.

    Args:
        model: whose tokenizer says how many passages fit.
        lock: the expert's.
        folder: the expert's files, which have been checked.
        test: the examples.
        texts: copies of those texts that are files of the expert's author, in their order.
        quiet: no progress.

    Raises:
        HubExpertError: its texts cannot be had.
    """
    if "kard" not in parse_recipe(lock.recipe, name="the recipe in the lock").data.methods:
        return tuple(test)
    return open_knowledge(folder, texts=texts, quiet=quiet).asked(model.tokenizer, test)


@contextmanager
def opened(model: Lm, folder: Path, *, routed: bool) -> Iterator[Lm]:
    """The expert in the folder on this base, which is as it was when the block ends."""
    mixture = load(folder, base=model.model, routed=routed)
    try:
        yield Lm(mixture, model.tokenizer)
    finally:
        mixture.unload()


def _apart(lock: Lock, test: Sequence[Example]) -> str | None:
    """Why the lock's values need not be equal; None where they must be."""
    if lock.report.protocol != "held-out":
        return "are of the shots, by cross-validation"
    if digest(test) != lock.digests.get("test"):
        return "are of other examples"
    if lock.report.longest is None:
        return "are by a release that did not tell how long answers could be"
    return None


def _compared(lock: Lock, then: SystemScore, values: Sequence[float], apart: str | None, *, seed: int) -> Check:
    """The value beside the lock's, to which it must be equal unless something sets them apart."""
    value, (low, high) = fmean(values), bootstrap(values, seed=seed)
    now = f"{points(value)} [{points(low)}, {points(high)}] on {len(values)} examples"
    locked = f"{points(then.value)} [{points(then.low)}, {points(then.high)}] on {then.n}"
    if apart:
        return Check(check="test", about=then.name, outcome="unchecked", what=f"{now}; the lock's {locked} {apart}.")
    if _agree(then, values, lock.report.removed):
        left = f", {lock.report.removed} of which the lock leaves out" if lock.report.removed else ""
        return Check(check="test", about=then.name, outcome="ok", what=f"{now}{left}: as in the lock.")
    gap = f"{signed(value - then.value)} points [{signed(low - then.value)}, {signed(high - then.value)}]"
    wrong = not low <= then.value <= high
    why = "more than chance" if wrong else "another device or other versions may round so"
    what = f"{now}, in the lock {locked}: {gap}, {why}."
    return Check(check="test", about=then.name, outcome="changed", what=what, wrong=wrong)


def _agree(then: SystemScore, values: Sequence[float], removed: int) -> bool:
    """Whether the lock's mean is that of these values without as many of them as it leaves out.

    Those stood among the shots. Which ones they are is not known here: the mean must lie within what any would give.
    """
    if then.n != len(values) - removed:
        return False
    ordered = sorted(values)
    least, most = fmean(ordered[: then.n]), fmean(ordered[removed:])
    return least - EQUAL <= then.value <= most + EQUAL
