"""What the Hub has said of datasets: asked once a day, and at a commit once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from hubexpert import hub
from hubexpert.discover.snapshot import Snapshot
from hubexpert.records import Source

DAY = 24 * 3600.0
LISTING = TypeAdapter(hub.DatasetListing)
LISTINGS = TypeAdapter(list[hub.DatasetListing])


@dataclass(frozen=True)
class Known:
    """The way to ask about datasets.

    Attributes:
        snapshot: where answers are kept.
        refresh: ask again.
        offline: ask nothing; what is known counts, however old.
        pace: of the requests.
    """

    snapshot: Snapshot
    refresh: bool = False
    offline: bool = False
    pace: hub.Pace = field(default_factory=hub.Pace)

    def look(self, repo: str) -> hub.DatasetListing:
        """What the Hub says about a dataset.

        Raises:
            SourceError: as `hub.look_dataset`; offline, it was never asked about.
            HubExpertError: the Hub cannot be reached.
        """

        def ask() -> Any:
            return LISTING.dump_python(hub.look_dataset(repo, pace=self.pace), mode="json")

        return LISTING.validate_python(self._answer(f"dataset {repo.lower()}", repo, ask))

    def search(self, text: str | None, tags: Sequence[str], limit: int) -> list[hub.DatasetListing]:
        """What a search finds.

        Raises:
            SourceError: the Hub refuses this search; offline, it was never made.
            HubExpertError: the Hub cannot be reached.
        """

        def ask() -> Any:
            return LISTINGS.dump_python(hub.search_datasets(text, tags, limit, pace=self.pace), mode="json")

        return LISTINGS.validate_python(
            self._answer(f"datasets {text} {sorted(tags)} {limit}", "a search for datasets", ask)
        )

    def first_rows(self, source: Source, config: str | None, split: str | None) -> list[dict[str, Any]]:
        """The first row of a dataset at its commit, in a list that is empty where it has none.

        Raises:
            SourceError: as `hub.first_rows`; offline, it was never read.
        """

        def ask() -> Any:
            return hub.first_rows(source, config, split, 1)

        key = f"row {source.repo} {source.revision} {config} {split}"
        rows = self._answer(key, source.repo, ask, always=True)
        return list(rows)

    def has_rows(self) -> bool:
        """Whether rows can be read; offline they might have been kept."""
        return self.offline or hub.can_read_rows()

    def _answer(self, key: str, about: str, ask: Callable[[], Any], *, always: bool = False) -> Any:
        """The kept answer, or a new one, which is kept for a day, or `always`.

        That something is missing, gated or broken is kept for a day; that the Hub fails is not.
        """
        day = 0.0 if self.offline else time.time() - DAY
        kept = self.snapshot.recall(key, since=0.0 if always else day) if not self.refresh else None
        if kept is not None and "kind" in kept:
            kept = self.snapshot.recall(key, since=day)  # what could not be read may be readable by now
        if kept is None:
            if self.offline:
                raise hub.SourceError(
                    f"What the Hub says of {about} is not known offline.",
                    fix="run it once with a network",
                    kind="missing",
                )
            kept = self._asked(ask)
            if kept.get("kind") != "failing":
                self.snapshot.keep(key, kept)
        if "kind" in kept:
            raise hub.SourceError(kept["message"], fix=kept["fix"], kind=kept["kind"])
        return kept["answer"]

    @staticmethod
    def _asked(ask: Callable[[], Any]) -> dict[str, Any]:
        try:
            return {"answer": ask()}
        except hub.SourceError as error:
            return {"kind": error.kind, "message": error.message, "fix": error.fix}
