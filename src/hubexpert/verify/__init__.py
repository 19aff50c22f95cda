"""Whether a published expert is what it says: files, lock, card, sources, and on request the measurement again."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from hubexpert.errors import HubExpertError
from hubexpert.lock import DEFAULT_LOCK, Lock
from hubexpert.metrics import OURS
from hubexpert.recipe import parse_recipe
from hubexpert.records import Example
from hubexpert.shots import read_examples
from hubexpert.verify.check import Check, state
from hubexpert.verify.contents import content_checks
from hubexpert.verify.copy import Copy, fetch, open_copy
from hubexpert.verify.files import file_checks
from hubexpert.verify.locked import commit_check, lock_check
from hubexpert.verify.page import page_checks
from hubexpert.verify.sources import source_checks

__all__ = ["Check", "Copy", "checked", "open_copy", "state", "verify"]


def verify(copy: Copy, *, test: Path | None = None, offline: bool = False, quiet: bool = False) -> Iterator[Check]:
    """The checks of a published expert, each as soon as it is made.

    Args:
        copy: what `open_copy` gives.
        test: examples to measure on again.
        offline: ask the Hub nothing.
        quiet: no progress.

    Raises:
        HubExpertError: a file of the expert cannot be had, or `test` holds no examples.
    """
    first, lock = lock_check(copy)
    yield first
    if lock is None:
        return
    examples = _examples(lock, test) if test else ()
    checks = [first]
    for check in _own_checks(lock, copy, offline=offline):
        checks.append(check)
        yield check
    yield from page_checks(lock, copy, offline=offline)
    yield from source_checks(lock, offline=offline)
    if test:
        wrong = any(check.wrong for check in checks)
        yield from _measured_again(lock, copy, examples, wrong=wrong, quiet=quiet)


def checked(copy: Copy, *, offline: bool = False) -> tuple[Lock, Path]:
    """The lock of a published expert, and the folder with its files, of which all are those of the lock.

    Raises:
        HubExpertError: it is not what its lock says, or a file cannot be had.
    """
    first, lock = lock_check(copy)
    found = [first, *(_own_checks(lock, copy, offline=offline) if lock else ())]
    bad = next((one for one in found if one.wrong or (one.check == "file" and one.outcome != "ok")), None)
    if lock is None or bad:
        bad = bad or first
        what = f"{bad.check} {bad.about}".strip()
        raise HubExpertError(
            f"{copy.name} is not what its lock says, so it is not loaded ({what}: {bad.what})",
            fix=f"hubexpert verify {copy.name}  (tells all of it)",
        )
    return lock, fetch(copy, DEFAULT_LOCK).parent


def _own_checks(lock: Lock, copy: Copy, *, offline: bool) -> Iterator[Check]:
    """Whether the lock is the published one, and files and contents are those of the lock."""
    yield commit_check(copy, offline=offline)
    yield from file_checks(lock, copy)
    yield from content_checks(lock, copy)


def _examples(lock: Lock, test: Path) -> tuple[Example, ...]:
    return read_examples(test, instruction=parse_recipe(lock.recipe, name="the recipe in the lock").task.instruction)


def _measured_again(
    lock: Lock, copy: Copy, examples: Sequence[Example], *, wrong: bool, quiet: bool
) -> Iterator[Check]:
    """The measurement, unless something forbids it: a stranger's files and metrics are not run unchecked."""
    why = None
    if wrong:
        why = "Not measured: the files are not those of the lock, and are not loaded."
    elif lock.scores.metric not in OURS:
        why = "Not measured: the metric is none of hubexpert's, and code that a lock names is not run."
    else:
        try:
            from hubexpert.verify.evaluation import evaluation_checks

            yield from evaluation_checks(lock, fetch(copy, DEFAULT_LOCK).parent, examples, quiet=quiet)
        except HubExpertError as error:
            why = f"Not measured: {error.message} To mend it: {error.fix}"
        except ModuleNotFoundError as error:
            why = f"Not measured: {error.name} is not installed. To mend it: pip install 'hubexpert[train]'"
    if why:
        yield Check(check="test", about="", outcome="unchecked", what=why)
