"""The first rows of accepted datasets, as their mappings show them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hubexpert import hub
from hubexpert.discover.data.configs import class_names
from hubexpert.discover.data.examples import mapped
from hubexpert.discover.data.known import Known
from hubexpert.discover.data.verdict import columns_known, config_read, override_of, with_row
from hubexpert.escape import clean
from hubexpert.progress import track
from hubexpert.recipe import DiscoverSection
from hubexpert.records import ACCEPTED, DatasetCandidate

SAMPLES = 5  # datasets of which a row is read


def sampled(
    known: Sequence[tuple[DatasetCandidate, hub.DatasetListing | None]],
    section: DiscoverSection,
    ways: Known,
    pool: ThreadPoolExecutor,
    quiet: bool,
) -> list[DatasetCandidate]:
    """The datasets, the first accepted ones with a sample."""
    candidates = {candidate.repo: candidate for candidate, _ in known}
    chosen = [(c, listing) for c, listing in known if c.verdict == ACCEPTED and listing][:SAMPLES]
    if chosen and ways.has_rows():
        read = pool.map(lambda entry: _with_sample(entry[0], entry[1], section, ways), chosen)
        for candidate in track(read, "Reading first rows", total=len(chosen), quiet=quiet):
            candidates[candidate.repo] = candidate
    return list(candidates.values())


def _with_sample(
    found: DatasetCandidate, listing: hub.DatasetListing, section: DiscoverSection, ways: Known
) -> DatasetCandidate:
    """The dataset with a row as its mapping shows it; why there is none is a remark."""
    override = override_of(found.repo, section)
    mapping = found.mapping
    try:
        rows = ways.first_rows(listing.source, config_read(found), mapping.split if mapping else None)
    except hub.SourceError as error:
        return found.model_copy(update={"reason": clean(" ".join(filter(None, (found.reason, error.message))))})
    if not rows:
        return found.model_copy(update={"reason": "It has no rows."})
    if not columns_known(found):
        found = with_row(found, rows[0], override)
    if found.verdict != ACCEPTED or found.mapping is None:
        return found
    classes = class_names(listing.card, found.mapping.config)
    return found.model_copy(update={"sample": mapped(rows[0], found.mapping, classes) or None})
