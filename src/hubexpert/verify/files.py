"""The files: each one that the lock names is there with its digest; what lies beside them is told and not opened."""

from collections.abc import Iterator

from hubexpert.assemble import PUBLISHED_FILES, published_files
from hubexpert.discover.reasons import some
from hubexpert.figures import drawings
from hubexpert.lock import DEFAULT_LOCK, Lock
from hubexpert.verify.check import Check
from hubexpert.verify.copy import CARD, Copy, fault, fetch, lacking
from hubexpert.workspace import file_digest

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".py", ".so")


def file_checks(lock: Lock, copy: Copy) -> Iterator[Check]:
    """Every file of the lock, then its figures, then what lies beside them.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    expected = wanted(lock)
    for name in expected:
        yield _file(lock, copy, name)
    figures = [f"figures/{name}" for name in drawings(lock)]
    if absent := [name for name in figures if name not in copy.sizes]:
        yield lacking(copy, "figures", "", f"The card shows {some(absent)}.", wrong=False)
    yield from _beside(sorted(copy.sizes.keys() - {*expected, *figures, CARD, DEFAULT_LOCK}))


def wanted(lock: Lock) -> tuple[str, ...]:
    """The files of the mixture: those that the lock names, and those without which there is none."""
    return tuple(dict.fromkeys((*PUBLISHED_FILES, *published_files(lock))))


def _file(lock: Lock, copy: Copy, name: str) -> Check:
    digest = lock.build.files.get(name)
    if digest is None:
        return Check(check="file", about=name, outcome="missing", what="The lock does not name it.", wrong=True)
    if name not in copy.sizes:
        return lacking(copy, "file", name, "It is not there.", wrong=True)
    if closed := fault(copy, name):
        return Check(check="file", about=name, outcome="changed", what=closed, wrong=True)
    found = file_digest(fetch(copy, name))
    if found != digest:
        what = f"It is not the file that was measured: SHA-256 {found[:12]}…, in the lock {digest[:12]}…"
        return Check(check="file", about=name, outcome="changed", what=what, wrong=True)
    return Check(check="file", about=name, outcome="ok", what=f"SHA-256 {found[:12]}…, {copy.sizes[name]:,} bytes.")


def _beside(others: list[str]) -> Iterator[Check]:
    """Files of which the lock says nothing; such as can hold code are a change, the rest is information."""
    pickles = [name for name in others if name.lower().endswith(PICKLES)]
    rest = [name for name in others if name not in pickles]
    if pickles:
        what = f"Not of this expert, can hold code, and not opened: {some(pickles)}."
        yield Check(check="beside", about="", outcome="changed", what=what)
    if rest:
        what = f"Not of this expert, and not opened: {some(rest)}."
        yield Check(check="beside", about="", outcome="unchecked", what=what)
