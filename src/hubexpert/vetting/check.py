"""All that speaks against a task's examples."""

from collections.abc import Sequence
from typing import Literal

from hubexpert.shots import Line
from hubexpert.vetting.balance import balance
from hubexpert.vetting.crossing import crossing
from hubexpert.vetting.finding import Finding
from hubexpert.vetting.lengths import lengths
from hubexpert.vetting.private import private
from hubexpert.vetting.repeats import repeats

State = Literal["clean", "warnings", "errors"]


def check(shots: Sequence[Line], test: Sequence[Line] = ()) -> list[Finding]:
    """The findings about shots and held-out examples, each for themselves and between them, errors first."""
    found = [
        told
        for lines in (shots, test)
        for part in (repeats, balance, lengths, private)
        for told in (part(lines) if lines else ())
    ]
    found += crossing(shots, test)
    return sorted(found, key=lambda told: told.severity != "error")


def state(found: Sequence[Finding]) -> State:
    """What the findings come to."""
    if not found:
        return "clean"
    return "errors" if any(told.severity == "error" for told in found) else "warnings"
