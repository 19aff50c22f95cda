"""What the expert rests on: whether it can still be had where the lock pins it, and under the same terms."""

from collections.abc import Iterator

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.escape import shown_name
from hubexpert.lock import Lock
from hubexpert.recipe import is_folder
from hubexpert.upstream import Upstream, changes, is_lost, now, upstream
from hubexpert.verify.check import Check, Outcome


def source_checks(lock: Lock, *, offline: bool) -> Iterator[Check]:
    """Every source of the lock: one request each, one more where it has moved or is gated.

    Where the Hub does not answer, the sources that are left are not asked for.
    """
    silent, pace = "Offline: the Hub was not asked." if offline else None, hub.Pace()
    for one in upstream(lock):
        try:
            yield _source(one, pace) if silent is None else _check(one, "unchecked", silent)
        except HubExpertError as error:
            silent = error.message
            yield _check(one, "unchecked", silent)
    own = [lock.base.repo, *(source.repo for source in (lock.kard.sources if lock.kard else ()))]
    for repo in filter(is_folder, own):
        role = "base" if repo == lock.base.repo else "dataset"
        what = "It lies on its author's machine: nobody else can look at it."
        yield Check(check=role, about=shown_name(repo), outcome="unchecked", what=what)


def _source(one: Upstream, pace: hub.Pace) -> Check:
    found = list(changes(one, now(one, pace)))
    kinds = {change.kind for change in found}
    what = ". ".join(change.sentence.removeprefix(one.role).strip().rstrip(".") for change in found)
    if "missing" in kinds:
        return _check(one, "missing", f"{what}.")
    if "moved" in kinds and is_lost(one):
        return _check(one, "missing", f"{what}. The commit {one.pinned.revision[:8]} can no longer be had.")
    if found:
        still = f" The commit {one.pinned.revision[:8]} is still there." if "moved" in kinds else ""
        return _check(one, "changed", f"{what}.{still}")
    return _check(one, "ok", f"At {one.pinned.revision[:8]}, licence {one.pinned.license or 'none'}.")


def _check(one: Upstream, outcome: Outcome, what: str) -> Check:
    return Check(check=one.role.removeprefix("the "), about=one.pinned.repo, outcome=outcome, what=what)
