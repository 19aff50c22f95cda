"""The datasets that accepted adapters cite, that a search for the task finds, and that the recipe names."""

import re
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from hubexpert import hub
from hubexpert.discover.data.known import Known
from hubexpert.discover.data.samples import sampled
from hubexpert.discover.data.search import by_downloads, searches
from hubexpert.discover.data.verdict import DataCode, Find, judged, refused
from hubexpert.progress import track
from hubexpert.recipe import DiscoverSection
from hubexpert.records import Candidate, DatasetCandidate

NAME = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?", re.ASCII)
CITED = 20  # names that are taken from one card
HITS = 20  # datasets that are taken from one search
PARALLEL = 8


def discover_datasets(
    adapters: Iterable[Candidate],
    section: DiscoverSection,
    known: Known,
    *,
    named: Sequence[str] = (),
    task: str = "",
    quiet: bool = False,
) -> tuple[DatasetCandidate, ...]:
    """Datasets with a verdict each: those the recipe names, the cited ones, the most cited first, those found.

    `reason` says why one cannot be used, or what is not known of it. The first accepted ones have a sample, if
    `datasets` is installed.

    Args:
        adapters: the accepted ones.
        section: what the recipe asks for.
        known: what the Hub has said before, and the way to ask it.
        named: datasets that are looked up whatever `section` says.
        task: the task's name and instruction, which is searched for; empty: no search.
        quiet: no progress and no remarks on stderr.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    if not section.datasets:
        task = ""
    with ThreadPoolExecutor(PARALLEL) as pool:
        pages = list(pool.map(lambda asked: _searched(asked[0], asked[1], known, quiet=quiet), searches(task)))
        finds = _finds(adapters, [*named, *section.columns], by_downloads(pages))
        count = max(section.datasets, len(named))
        first, rest = finds[:count], finds[count:]
        looked_up = pool.map(lambda find: _looked_up(find, section, known), first)
        judged_ones = _once(track(looked_up, "Looking up datasets", total=len(first), quiet=quiet))
        found = sampled(judged_ones, section, known, pool, quiet)
    return (
        *found,
        *(
            refused(find, "not-looked-up", f"It was not looked up: `discover.datasets` is {section.datasets}.")
            for find in rest
        ),
    )


def _searched(text: str | None, tags: Sequence[str], known: Known, *, quiet: bool) -> list[hub.DatasetListing]:
    """What one search finds; one that the Hub refuses finds nothing."""
    try:
        return known.search(text, tags, HITS)
    except hub.SourceError as error:
        if not quiet:
            print(error.message, file=sys.stderr, flush=True)  # noqa: T201
        return []


def _finds(
    adapters: Iterable[Candidate], named: Sequence[str], hits: Sequence[hub.DatasetListing]
) -> list[Find]:  # fmt: skip
    """Every dataset once, whatever the case of its name: named ones, cited ones by how often, hits by downloads."""
    finds = {name.lower(): Find(name, ("id",)) for name in named}
    cited: dict[str, Find] = {}
    for adapter in adapters:
        for name in {name.lower(): name for name in adapter.datasets[:CITED]}.values():
            before = cited.get(name.lower(), Find(name, ("cited",)))
            cited[name.lower()] = replace(before, cited_by=(*before.cited_by, adapter.source.repo))
    for key in sorted(cited, key=lambda key: (-len(cited[key].cited_by), key)):
        own = finds.get(key)
        finds[key] = replace(own, found_by=("id", "cited"), cited_by=cited[key].cited_by) if own else cited[key]
    for listing in hits:
        key = listing.source.repo.lower()
        before = finds.get(key, Find(listing.source.repo, ()))
        finds[key] = replace(before, found_by=(*before.found_by, "search"), listing=listing)
    return list(finds.values())


def _looked_up(
    find: Find, section: DiscoverSection, known: Known
) -> tuple[DatasetCandidate, hub.DatasetListing | None]:
    """The dataset with its verdict; one request, none for what a search has told."""
    if not NAME.fullmatch(find.repo):
        return refused(find, "missing", "Its name is no name of a dataset on the Hub."), None
    try:
        listing = find.listing or known.look(find.repo)
    except hub.SourceError as error:
        codes: dict[str, DataCode] = {"missing": "missing", "gated": "gated"}
        return refused(find, codes.get(error.kind, "unreadable"), error.message), None
    return judged(find, listing, section), listing


def _once(
    looked_up: Iterable[tuple[DatasetCandidate, hub.DatasetListing | None]],
) -> list[tuple[DatasetCandidate, hub.DatasetListing | None]]:
    """Two names of one dataset, such as `squad` and `rajpurkar/squad`, as one."""
    once: dict[str, tuple[DatasetCandidate, hub.DatasetListing | None]] = {}
    for candidate, listing in looked_up:
        key = candidate.repo.lower()
        if key in once:
            before, listing = once[key]
            candidate = before.model_copy(
                update={
                    "found_by": tuple(dict.fromkeys((*before.found_by, *candidate.found_by))),
                    "cited_by": tuple(dict.fromkeys((*before.cited_by, *candidate.cited_by))),
                }
            )
        once[key] = candidate, listing
    return list(once.values())
