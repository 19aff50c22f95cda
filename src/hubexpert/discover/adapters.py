"""The adapters of a base, each with a verdict: first what listings say of all, then what files say of the best."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hubexpert import hub
from hubexpert.discover.inspection import inspect, reason_code
from hubexpert.discover.snapshot import Snapshot
from hubexpert.discover.sources import FoundBy, check_known, family_of, listed, named, tags_of, tell, update
from hubexpert.discover.verdict import Evidence, Verdict, candidate, verdict
from hubexpert.escape import clean
from hubexpert.progress import track
from hubexpert.recipe import DiscoverSection
from hubexpert.records import ACCEPTED, Candidate, Relative, Source

Each = Callable[[Candidate], None]
NO_COMMIT = "0" * 40  # what stands for the commit of a repository that cannot be seen, as git writes it
PARALLEL = 8
RELATIVES = 50  # copies of the base that are told
ORDERS: dict[str, Callable[[Candidate], int | str]] = {
    "downloads": lambda c: c.downloads,
    "likes": lambda c: c.likes,
    "modified": lambda c: c.last_modified or "",
}


@dataclass(frozen=True)
class Survey:
    """The adapters that were inspected or named, how many had which verdict, and the copies of the base they name."""

    candidates: tuple[Candidate, ...]
    verdicts: dict[str, int]
    relatives: tuple[Relative, ...]


@dataclass(frozen=True)
class _Known:
    evidence: Evidence
    found_by: tuple[FoundBy, ...]


def discover_adapters(
    base: str,
    section: DiscoverSection,
    snapshot: Snapshot,
    pace: hub.Pace,
    *,
    each: Each,
    refresh: bool = False,
    offline: bool = False,
    quiet: bool = False,
) -> Survey:
    """Every adapter of the base that was found, in the order the recipe asks for.

    Args:
        base: the base's canonical id, or its folder.
        section: what the recipe asks for.
        snapshot: what is known of the Hub; it is brought up to date.
        pace: of the requests.
        each: gets the adapters that need no inspection, one by one: of a popular base there are too many to hold.
        refresh: read the Hub's listings from the beginning.
        offline: ask nothing; judge what is known.
        quiet: no progress and no remarks on stderr.

    Raises:
        HubExpertError: the Hub cannot be reached or does not accept the token; or nothing is known, offline.
    """
    tags = tags_of(base)
    if offline:
        check_known(snapshot, tags)
    else:
        update(snapshot, tags, pace, refresh=refresh, quiet=quiet)
    kin = family_of(base, snapshot, tags)
    seen, unseen = named(section, snapshot if offline else None, pace)
    chosen = {repo: _Known(Evidence(kin, section, listing, named=True), ("id",)) for repo, listing in seen.items()}
    refused: Counter[str] = Counter()
    relatives: dict[str, Relative] = {}
    for found in listed(snapshot, tags, kin, section):
        repo, evidence = found.listing.source.repo, Evidence(kin, section, found.listing)
        if repo in seen:
            chosen[repo] = dataclasses.replace(chosen[repo], found_by=(*found.found_by, "id"))
            continue
        given = verdict(evidence)
        if given.code == ACCEPTED and len(chosen) < section.limit + len(seen):
            chosen[repo] = _Known(evidence, found.found_by)
            continue
        refused_one = candidate(evidence, found.found_by, _beyond(given, section.limit))
        refused[refused_one.verdict] += 1
        relatives |= _relatives([refused_one])
        each(refused_one)
    if refused["beyond-limit"] and not quiet:
        tell(f"{refused['beyond-limit']:,} adapters are left out uninspected: `discover.limit` is {section.limit}.")
    inspected = _inspect_all(list(chosen.values()), snapshot, pace, refresh=refresh, offline=offline, quiet=quiet)
    candidates = [*(_unseen(repo, error, offline) for repo, error in unseen.items()), *inspected]
    by_name = sorted(candidates, key=lambda c: c.source.repo)
    return Survey(
        candidates=tuple(sorted(by_name, key=ORDERS[section.sort], reverse=True)),
        verdicts=dict((refused + Counter(c.verdict for c in candidates)).most_common()),
        relatives=tuple(found for _, found in sorted((relatives | _relatives(candidates)).items())[:RELATIVES]),
    )


def _inspect_all(
    known: Sequence[_Known], snapshot: Snapshot, pace: hub.Pace, *, refresh: bool, offline: bool, quiet: bool
) -> list[Candidate]:
    def judged(one: _Known) -> Candidate:
        evidence, given = inspect(one.evidence, snapshot, pace, refresh=refresh, offline=offline)
        return candidate(evidence, one.found_by, given)

    with ThreadPoolExecutor(PARALLEL) as pool:
        try:
            return list(track(pool.map(judged, known), "Inspecting adapters", total=len(known), quiet=quiet))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # the Hub is away: do not ask for the rest in vain
            pace.stop()
            raise


def _beyond(given: Verdict, limit: int) -> Verdict:
    """The verdict on an adapter that is not inspected."""
    if given.code != ACCEPTED:
        return given
    sentence = f"It was not inspected: `discover.limit` is {limit}."
    return dataclasses.replace(given, code="beyond-limit", reasons=(sentence,))


def _unseen(repo: str, error: hub.SourceError, offline: bool) -> Candidate:
    """A named adapter of which nothing is told."""
    source = Source(repo=clean(repo), revision=NO_COMMIT)
    code = "not-inspected" if offline else reason_code(error, "unreadable")
    return Candidate(source=source, verdict=code, reasons=(clean(error.message),), found_by=("id",))


def _relatives(candidates: Iterable[Candidate]) -> dict[str, Relative]:
    """The copies of the base that these adapters name as theirs, by their names in lower case."""
    return {
        c.base.rstrip("/").lower(): Relative(repo=c.base, relation=c.relation)
        for c in candidates
        if c.base and c.relation in ("mirror", "quantized")
    }
