"""The lock: whether it can be read, is as hubexpert writes it, and is the one that was published."""

import hashlib
import json

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.escape import clean
from hubexpert.lock import DEFAULT_LOCK, DIGITS, Lock, canonical, named_in, read_lock, render_lock
from hubexpert.recipe import parse_recipe
from hubexpert.verify.check import Check
from hubexpert.verify.copy import Copy, fault, fetch


def lock_check(copy: Copy) -> tuple[Check, Lock | None]:
    """Whether there is a lock that can be read; None where there is none.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    if DEFAULT_LOCK not in copy.sizes:
        what = "It is not there: there is nothing to compare with."
        return Check(check="lock", about="", outcome="missing", what=what, wrong=True), None
    if closed := fault(copy, DEFAULT_LOCK):
        return Check(check="lock", about="", outcome="changed", what=closed, wrong=True), None
    file = fetch(copy, DEFAULT_LOCK)
    try:
        lock = read_lock(file)
        parse_recipe(lock.recipe, name="the recipe in the lock")
    except HubExpertError as error:
        return Check(check="lock", about="", outcome="changed", what=error.message, wrong=True), None
    written, made = file.read_bytes().decode(), lock.build.packages.get("hubexpert", "?")
    if written == render_lock(lock):
        return Check(check="lock", about="", outcome="ok", what=f"As hubexpert {clean(made)} wrote it."), lock
    if written == canonical(json.loads(written)):
        what = "As another release of hubexpert wrote it: it lacks what this one would add."
        return Check(check="lock", about="", outcome="ok", what=what), lock
    what = "It is not in the form that hubexpert writes: it was edited."
    return Check(check="lock", about="", outcome="changed", what=what, wrong=True), lock


def commit_check(copy: Copy, *, offline: bool) -> Check:
    """Whether the last commit that names a lock names this one; one request.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    if copy.source is None or offline:
        why = "A folder has no commits." if copy.source is None else "Offline: the commits were not read."
        return Check(check="commit", about="", outcome="unchecked", what=why)
    digest = hashlib.sha256(fetch(copy, DEFAULT_LOCK).read_bytes()).hexdigest()
    named = next((found for title in hub.titles(copy.source) if (found := named_in(title))), None)
    if named is None:
        return Check(check="commit", about="", outcome="unchecked", what="No commit names a lock.")
    if digest.startswith(named):
        return Check(check="commit", about="", outcome="ok", what=f"It names this lock, {named}.")
    what = f"It names another lock, {named}; this one is {digest[:DIGITS]}: it was changed after publishing."
    return Check(check="commit", about="", outcome="changed", what=what, wrong=True)
