"""The card: whether it is what the lock makes of it, and whether the Hub accepts its metadata."""

import difflib
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import islice

from hubexpert import hub
from hubexpert.card import render_card
from hubexpert.errors import HubExpertError, first_line
from hubexpert.escape import REPO_ID, clean
from hubexpert.figures import drawings
from hubexpert.lock import Lock
from hubexpert.recipe import parse_recipe
from hubexpert.verify.check import Check
from hubexpert.verify.copy import CARD, Copy, fault, fetch, lacking

NAMED = re.compile(r'hubexpert\.load\("([^"\n]+)"\)')
COMPARED, SHOWN = 40, 8  # lines from the first difference on; lines of the difference that are shown


def page_checks(lock: Lock, copy: Copy, *, offline: bool) -> Iterator[Check]:
    """The card and its metadata; one request, none offline.

    Raises:
        HubExpertError: the card cannot be had.
    """
    if CARD not in copy.sizes:
        yield lacking(copy, "card", "", "There is no README.md.", wrong=False)
        return
    if closed := fault(copy, CARD):
        yield Check(check="card", about="", outcome="changed", what=closed)
        return
    text = fetch(copy, CARD).read_bytes().decode("utf-8", errors="replace")
    yield _card(lock, copy, text)
    yield _metadata(text, offline=offline)


def _metadata(text: str, *, offline: bool) -> Check:
    if offline:
        return Check(check="metadata", about="", outcome="unchecked", what="Offline: the Hub was not asked.")
    try:
        objection = hub.card_fault(text)
    except HubExpertError as error:
        return Check(check="metadata", about="", outcome="unchecked", what=error.message)
    what = f"The Hub refuses them: {objection}" if objection else "The Hub accepts them."
    return Check(check="metadata", about="", outcome="changed" if objection else "ok", what=what)


def _card(lock: Lock, copy: Copy, text: str) -> Check:
    places = _places(lock, copy, text)
    try:
        made = [render_card(lock, repo=place, drawn=tuple(drawings(lock))) for place in places]
    except (HubExpertError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        why = error.message if isinstance(error, HubExpertError) else first_line(error)
        return Check(check="card", about="", outcome="changed", what=f"The lock makes no card: {why}", wrong=True)
    if text in made:
        named, lies = places[made.index(text)], copy.source.repo if copy.source else None
        if named and lies and named.lower() != lies.lower():
            what = f"It is the lock's card of {named}, and lies at {lies}: renamed, or a copy."
            return Check(check="card", about="", outcome="changed", what=what)
        return Check(check="card", about="", outcome="ok", what="It is what the lock makes of it.")
    then, now = lock.build.packages.get("hubexpert", "?"), version("hubexpert")
    told = f"It was made by hubexpert {clean(then)}; {now} writes it otherwise, or it was edited by hand."
    what = "It was edited by hand." if then == now else told
    lines = tuple(_difference(made[0].splitlines(), text.splitlines()))
    return Check(check="card", about="", outcome="changed", what=what, lines=lines)


def _places(lock: Lock, copy: Copy, text: str) -> tuple[str | None, ...]:
    """What the card may call its repository: what it does call it, where it lies, or where it may have come from."""
    found = NAMED.search(text)
    own = [found[1]] if found and REPO_ID.fullmatch(found[1]) else []
    elsewhere = (parse_recipe(lock.recipe, name="the recipe in the lock").publish.repo, None)
    return tuple(dict.fromkeys((*own, *((copy.source.repo,) if copy.source else elsewhere))))


def _difference(made: Sequence[str], found: Sequence[str]) -> Iterator[str]:
    """The first lines of the unified diff from the card of the lock to the one that was found."""
    pairs = zip(made, found, strict=False)
    start = next((i for i, (ours, theirs) in enumerate(pairs) if ours != theirs), min(len(made), len(found)))
    ours, theirs = (each[start : start + COMPARED] for each in (made, found))
    lines = difflib.unified_diff(ours, theirs, "by the lock", CARD, n=0, lineterm="")
    yield from (clean(line) for line in islice((line for line in lines if line[:2] != "@@"), SHOWN))
