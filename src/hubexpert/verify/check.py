"""One check of a published expert, and what the checks come to."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from hubexpert.records import Record

Outcome = Literal["ok", "changed", "missing", "unchecked"]
State = Literal["verified", "changed", "wrong"]


class Check(Record):
    """What was looked at, and what came of it."""

    check: str = Field(description="`lock`, `file`, `card` and so on: docs/verify.md lists them")
    about: str = Field(description="the file, the source or the system; empty where there is one only")
    outcome: Outcome
    what: str = Field(description="a sentence")
    wrong: bool = Field(default=False, description="whether the expert is then not what it says")
    lines: tuple[str, ...] = Field(default=(), description="the first lines of a difference")


def told(check: str, about: str, good: str, faults: Iterable[str]) -> Check:
    """The check of something that is wrong where it has faults, and of which `good` is said where it has none."""
    found = tuple(faults)
    outcome: Outcome = "changed" if found else "ok"
    return Check(check=check, about=about, outcome=outcome, what=" ".join(found) or good, wrong=bool(found))


def state(checks: Iterable[Check]) -> State:
    """`wrong` where files or lock are not what they should be, `changed` where only something around them is not."""
    found = tuple(checks)
    if any(check.wrong for check in found):
        return "wrong"
    return "changed" if any(check.outcome in ("changed", "missing") for check in found) else "verified"
