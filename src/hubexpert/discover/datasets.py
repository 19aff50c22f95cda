"""The datasets that accepted adapters cite in their cards."""

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from hubexpert import hub
from hubexpert.discover.reasons import brief
from hubexpert.escape import clean
from hubexpert.progress import track
from hubexpert.records import Candidate, DatasetCandidate

NAME = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?", re.ASCII)
CITED = 20  # names that are taken from one card
RESOLVED = 50  # datasets that are looked up
PARALLEL = 8


def discover_datasets(
    adapters: Iterable[Candidate], licenses: Sequence[str], *, quiet: bool = False
) -> tuple[DatasetCandidate, ...]:
    """The datasets that these adapters cite, the most cited first, at their present commits.

    `reason` says why one cannot be used: it is not on the Hub, its licence is not among `licenses`, or it was not
    looked up because it is cited too rarely.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    cited: dict[str, list[str]] = {}
    for adapter in adapters:
        for name in adapter.datasets[:CITED]:
            cited.setdefault(name, []).append(adapter.source.repo)
    ranked = sorted(cited, key=lambda name: (-len(cited[name]), name))
    with ThreadPoolExecutor(PARALLEL) as pool:
        looked_up = pool.map(lambda name: _look_up(name, cited[name], licenses), ranked[:RESOLVED])
        found = list(track(looked_up, "Looking up datasets", total=len(ranked[:RESOLVED]), quiet=quiet))
    rest = [
        DatasetCandidate(
            repo=clean(name),
            source=None,
            cited_by=tuple(cited[name]),
            reason="It was not looked up: cited too rarely.",
        )
        for name in ranked[RESOLVED:]
    ]
    return (*found, *rest)


def _look_up(name: str, cited_by: Sequence[str], licenses: Sequence[str]) -> DatasetCandidate:
    shown = clean(name)
    if not NAME.fullmatch(name):
        nameless = "Its name is no name of a dataset on the Hub."
        return DatasetCandidate(repo=shown, source=None, cited_by=tuple(cited_by), reason=nameless)
    try:
        source = hub.resolve(name, repo_type="dataset")
    except hub.SourceError as error:
        return DatasetCandidate(repo=shown, source=None, cited_by=tuple(cited_by), reason=clean(error.message))
    reason: str | None = None
    if (source.license or "unknown") not in {licence.lower() for licence in licenses}:
        stated = f"Its licence {brief(source.license)}" if source.license else "The licence, which it does not state,"
        reason = f"{stated} is not among `discover.licenses`."
    return DatasetCandidate(repo=shown, source=source, cited_by=tuple(cited_by), reason=reason)
