"""What was measured already: one journal line for every adapter and shot, so that nothing is measured twice.

A new shot, or a budget that asks for more of them, costs only what is not there yet.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hubexpert.examine import Answers
from hubexpert.records import Example, Refused, Source
from hubexpert.workspace import Journal, fingerprint

DOWNLOAD = "download-"  # begins the codes of what may pass


@dataclass(frozen=True)
class Measured:
    """One adapter on some shots; `conversion_error` as in its factors."""

    answers: Answers
    conversion_error: float | None = None


@dataclass(frozen=True)
class Adapted:
    """The NLLs (nats) of some shots, each after steps on others; NaN where the steps led to no numbers."""

    nlls: tuple[float, ...]


Outcome = tuple[Source, Measured | Adapted | Refused]


@dataclass(frozen=True)
class Ledger:
    """The journal of scores and what stands in it.

    `context` is what every measurement depends on beside the adapter and the shot.
    """

    journal: Journal
    context: dict[str, object]
    known: dict[str, Any] = field(default_factory=dict)

    def answers(self, source: Source, shots: Sequence[Example]) -> Answers | None:
        """What the adapter did on these shots; None where one of them was not measured."""
        keys = [self._key(source, shot) for shot in shots]
        if not all(key in self.known for key in keys):
            return None
        found = [self.known[key] for key in keys]
        return Answers(tuple(entry["value"] for entry in found), tuple(entry["nll"] for entry in found))

    def missing(self, source: Source, shots: Sequence[Example]) -> tuple[Example, ...]:
        """The shots on which the adapter was not measured; none where it was refused."""
        if self.refused(source):
            return ()
        return tuple(shot for shot in shots if self._key(source, shot) not in self.known)

    def adapted(self, source: Source, shots: Sequence[Example], how: object) -> Adapted | None:
        """The NLLs after adaptation; None where they were not measured."""
        entry = self.known.get(self._key(source, shots, how))
        return Adapted(tuple(math.nan if nll is None else nll for nll in entry["adapted"])) if entry else None

    def refused(self, source: Source) -> Refused | None:
        """Why the adapter cannot be used, if so."""
        entry = self.known.get(self._key(source), {}).get("refused")
        return Refused.model_validate(entry) if entry else None

    def conversion_error(self, source: Source) -> float | None:
        """What was lost where the adapter was converted."""
        error: float | None = self.known.get(self._key(source), {}).get("conversion_error")
        return error

    def keep(self, shots: Sequence[Example], outcomes: Sequence[Outcome], how: object = None) -> None:
        """Write down what some adapters did on these shots, or why they were refused; what may pass is not written.

        `how` says how they were adapted.
        """
        lasting: dict[str, Any] = {}
        for source, result in outcomes:
            entries = self._entries(source, shots, result, how)
            self.known.update(entries)
            if not (isinstance(result, Refused) and result.code.startswith(DOWNLOAD)):
                lasting |= entries
        self.journal.extend(lasting)

    def _entries(
        self, source: Source, shots: Sequence[Example], result: Measured | Adapted | Refused, how: object
    ) -> dict[str, Any]:
        if isinstance(result, Refused):
            return {self._key(source): {"repo": source.repo, "refused": result.model_dump(mode="json")}}
        if isinstance(result, Adapted):
            nlls = [nll if math.isfinite(nll) else None for nll in result.nlls]
            return {self._key(source, shots, how): {"repo": source.repo, "adapted": nlls}}
        told = zip(shots, result.answers.values, result.answers.nlls, strict=True)
        entries = {self._key(source, shot): {"repo": source.repo, "value": v, "nll": n} for shot, v, n in told}
        if result.conversion_error is not None:
            entries[self._key(source)] = {"repo": source.repo, "conversion_error": result.conversion_error}
        return entries

    def _key(self, source: Source, shot: object = None, how: object = None) -> str:
        return fingerprint({**self.context, "source": source, "shot": shot, "how": how})


def open_ledger(journal: Journal, context: dict[str, object]) -> Ledger:
    """The ledger in `journal`."""
    return Ledger(journal, context, journal.read())
