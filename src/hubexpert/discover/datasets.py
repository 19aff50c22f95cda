"""The datasets that accepted adapters cite in their cards."""

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from hubexpert import hub
from hubexpert.discover.reasons import brief
from hubexpert.escape import clean
from hubexpert.progress import track
from hubexpert.records import ACCEPTED, Candidate, DatasetCandidate

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
    return (
        *found,
        *(_refused(name, cited[name], "not-looked-up", "It is cited too rarely.") for name in ranked[RESOLVED:]),
    )


def _look_up(name: str, cited_by: Sequence[str], licenses: Sequence[str]) -> DatasetCandidate:
    if not NAME.fullmatch(name):
        return _refused(name, cited_by, "missing", "Its name is no name of a dataset on the Hub.")
    try:
        source = hub.resolve(name, repo_type="dataset")
    except hub.SourceError as error:
        return _refused(name, cited_by, "missing", error.message)
    if (source.license or "unknown") not in {licence.lower() for licence in licenses}:
        stated = f"Its licence {brief(source.license)}" if source.license else "The licence, which it does not state,"
        code = "license-forbidden" if source.license else "license-unknown"
        refused = _refused(name, cited_by, code, f"{stated} is not among `discover.licenses`.")
        return refused.model_copy(update={"source": source})
    return DatasetCandidate(
        repo=clean(name), source=source, verdict=ACCEPTED, found_by=("cited",), cited_by=tuple(cited_by)
    )


def _refused(name: str, cited_by: Sequence[str], code: str, reason: str) -> DatasetCandidate:
    return DatasetCandidate(
        repo=clean(name), verdict=code, reason=clean(reason), found_by=("cited",), cited_by=tuple(cited_by)
    )
