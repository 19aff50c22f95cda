"""The adapters of a base: found in three ways, inspected in the order of cost, each with a verdict."""

import dataclasses
import fnmatch
import itertools
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from hubexpert import hub
from hubexpert.discover.aliases import names_of, same_base
from hubexpert.discover.reasons import Code, brief
from hubexpert.discover.verdict import CONFIG_FILE, WEIGHTS_FILE, Evidence, Verdict, verdict
from hubexpert.escape import clean
from hubexpert.progress import track
from hubexpert.recipe import DiscoverSection, is_folder
from hubexpert.records import ACCEPTED, Candidate, Source

FoundBy = Literal["tag", "config", "id"]
NO_COMMIT = "0" * 40  # what stands for the commit of a repository that cannot be seen, as git writes it
CRAWL = 10_000  # entries of a whole library's listing that are looked through, most downloaded first
PARALLEL = 8


@dataclass(frozen=True)
class _Found:
    listing: hub.Listing
    found_by: tuple[FoundBy, ...]


def discover_adapters(base: str, section: DiscoverSection, *, quiet: bool = False) -> tuple[Candidate, ...]:
    """Every adapter of the base that was found, most downloaded first.

    Args:
        base: the base's canonical id, or its folder.
        section: what the recipe asks for.
        quiet: no progress and no remarks on stderr.

    Raises:
        HubExpertError: the Hub cannot be reached or does not accept the token.
    """
    found = _listed(base, section, quiet)
    named, unseen = _named(section)
    for repo, listing in named.items():
        before = found[repo].found_by if repo in found else ()
        found[repo] = _Found(listing, (*before, "id"))
    evidence = {
        repo: Evidence(base=base, section=section, listing=entry.listing, named=repo in named)
        for repo, entry in found.items()
    }
    first = {repo: verdict(known) for repo, known in evidence.items()}
    hopeful = [repo for repo in sorted(found, key=lambda repo: _order(found[repo].listing)) if _accepted(first[repo])]
    chosen = _within_limit(hopeful, named, section.limit, quiet)
    refused = [
        _candidate(evidence[repo], found[repo].found_by, first[repo]) for repo in found if not _accepted(first[repo])
    ]
    inspected = _inspect_all([evidence[repo] for repo in chosen], [found[repo].found_by for repo in chosen], quiet)
    candidates = [*unseen, *refused, *inspected]
    return tuple(sorted(candidates, key=lambda candidate: (-candidate.downloads, candidate.source.repo)))


def _listed(base: str, section: DiscoverSection, quiet: bool) -> dict[str, _Found]:
    """The adapters that carry the base's tag, and those of PEFT whose configuration names it.

    The place of a folder stays on this machine: it is no tag.
    """
    found: dict[str, _Found] = {}
    for name in () if is_folder(base) else names_of(base):
        _add(found, hub.listing([f"base_model:adapter:{name}"]), "tag", section)
    for library in ("peft", "lora"):
        entries = track(hub.listing([library]), f"Looking through `{library}`", quiet=quiet)
        seen = itertools.islice(entries, CRAWL)
        _add(found, (entry for entry in seen if entry.base and same_base(entry.base, base)), "config", section)
        if not quiet and next(entries, None) is not None:
            _tell(f"Only the {CRAWL:,} most downloaded models tagged `{library}` were looked through.")
    return found


def _add(found: dict[str, _Found], entries: Iterator[hub.Listing], how: FoundBy, section: DiscoverSection) -> None:
    for listing in entries:
        repo = listing.source.repo
        if not _excluded(repo, section):
            before = found[repo].found_by if repo in found else ()
            found[repo] = _Found(listing, tuple(dict.fromkeys((*before, how))))


def _named(section: DiscoverSection) -> tuple[dict[str, hub.Listing], list[Candidate]]:
    """What the Hub says about the adapters the recipe names, and those it knows nothing about."""
    seen: dict[str, hub.Listing] = {}
    unseen: list[Candidate] = []
    for entry in dict.fromkeys(section.include):
        repo, _, revision = entry.strip().partition("@")
        if _excluded(repo, section):
            continue
        try:
            listing = hub.look(repo, revision or None)
            seen[listing.source.repo] = listing  # not the name as typed, which may be a former one or in another case
        except hub.SourceError as error:
            code = _code(error, "unreadable")
            source = Source(repo=repo, revision=NO_COMMIT)
            unseen.append(Candidate(source=source, verdict=code, reasons=(clean(error.message),), found_by=("id",)))
    return seen, unseen


def _excluded(repo: str, section: DiscoverSection) -> bool:
    """Whether the recipe leaves the repository out; to the Hub, too, case makes no other name."""
    return any(fnmatch.fnmatchcase(repo.lower(), form.lower()) for form in section.exclude)


def _within_limit(hopeful: Sequence[str], named: dict[str, hub.Listing], limit: int, quiet: bool) -> list[str]:
    """The adapters to inspect: those named, and of the others the most downloaded up to the limit."""
    others = [repo for repo in hopeful if repo not in named]
    if len(others) > limit and not quiet:
        _tell(f"{len(others) - limit} of {len(others)} adapters are left out: `discover.limit` is {limit}.")
    kept = set(others[:limit])
    return [repo for repo in hopeful if repo in named or repo in kept]


def _inspect_all(evidence: list[Evidence], found_by: list[tuple[FoundBy, ...]], quiet: bool) -> list[Candidate]:
    with ThreadPoolExecutor(PARALLEL) as pool:
        try:
            verdicts = track(pool.map(_inspect, evidence), "Inspecting adapters", total=len(evidence), quiet=quiet)
            return [_candidate(known, how, given) for how, (known, given) in zip(found_by, verdicts, strict=True)]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # the Hub is away: do not ask for the rest in vain
            raise


def _inspect(known: Evidence) -> tuple[Evidence, Verdict]:
    """All that is known of one adapter, and its verdict: configuration, then files, then header, until one speaks."""
    source = known.listing.source
    broken: Code = "config-broken"
    try:
        known = dataclasses.replace(known, config=hub.read_json(source, CONFIG_FILE))
        if not _accepted(given := verdict(known)):
            return known, given
        broken = "unreadable"
        files = hub.repo_files(source)
        known = dataclasses.replace(known, files=files)
        if not _accepted(given := verdict(known)):
            return known, given
        broken = "header-broken"
        header = hub.weights_header(source, WEIGHTS_FILE, size=files.sizes.get(WEIGHTS_FILE))
        known = dataclasses.replace(known, header=header)
        return known, verdict(known)
    except hub.SourceError as error:
        given = dataclasses.replace(verdict(known), code=_code(error, broken), reasons=(clean(error.message),))
        return known, given


def _code(error: hub.SourceError, broken: Code) -> Code:
    """The reason code for a repository that could not be read; `broken` where its content is at fault."""
    codes: dict[str, Code] = {"gated": "gated", "missing": "missing", "failing": "unreadable", "broken": broken}
    return codes[error.kind]


def _candidate(known: Evidence, found_by: tuple[FoundBy, ...], given: Verdict) -> Candidate:
    listing, files = known.listing, known.files
    stated = listing.base or next(iter(listing.bases), None)
    source = listing.source
    if files and source.license == "other":
        source = source.model_copy(update={"license": files.license})
    return Candidate(
        source=source,
        verdict=given.code,
        reasons=given.reasons,
        remarks=given.remarks,
        peft_type=given.peft_type,
        found_by=found_by,
        base=brief(stated) if stated else None,
        rank=given.rank,
        target_modules=given.target_modules,
        size=files.sizes.get(WEIGHTS_FILE) if files else None,
        downloads=listing.downloads,
        author=listing.author,
        last_modified=listing.last_modified,
        datasets=listing.datasets,
    )


def _accepted(given: Verdict) -> bool:
    return given.code == ACCEPTED


def _order(listing: hub.Listing) -> tuple[int, str]:
    return -listing.downloads, listing.source.repo


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201
