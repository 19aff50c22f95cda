"""Where adapters of a base come from: the Hub's tags, the bases that configurations name, and the recipe."""

import fnmatch
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hubexpert import hub
from hubexpert.discover.aliases import names_of
from hubexpert.discover.crawl import Query, bring_up_to_date
from hubexpert.discover.family import Family, family, known_mirrors
from hubexpert.discover.snapshot import Snapshot
from hubexpert.errors import HubExpertError
from hubexpert.recipe import DiscoverSection, is_folder

FoundBy = Literal["tag", "config", "id"]
LIBRARIES = ("peft", "lora")
CRAWL = 50_000  # entries of a library's listing that are looked through, most downloaded first


@dataclass(frozen=True)
class Found:
    """An adapter that was found, and how; of a named one that the snapshot holds, both ways are told."""

    listing: hub.Listing
    found_by: tuple[FoundBy, ...]


@dataclass(frozen=True)
class Tags:
    """The Hub's tags of a base's adapters, of its quantised copies, and of its fine-tunes."""

    adapters: tuple[str, ...]
    quantized: tuple[str, ...]
    finetunes: tuple[str, ...]


def tags_of(base: str) -> Tags:
    """The base's tags. The place of a folder stays on this machine: it is no tag."""
    if is_folder(base):
        return Tags((), (), ())
    names = names_of(base)
    return Tags(
        adapters=tuple(f"base_model:adapter:{name}" for name in (*names, *known_mirrors(base))),
        quantized=tuple(f"base_model:quantized:{name}" for name in names),
        finetunes=tuple(f"base_model:finetune:{name}" for name in names),
    )


def update(snapshot: Snapshot, tags: Tags, pace: hub.Pace, *, refresh: bool, quiet: bool) -> None:
    """Ask the Hub for all that leads to adapters of the base, and keep it in the snapshot.

    Raises:
        HubExpertError: the Hub cannot be reached or does not accept the token.
    """
    relatives = [Query(tag, full=False) for tag in (*tags.quantized, *tags.finetunes)]
    libraries = [Query(library, most=CRAWL) for library in LIBRARIES]
    queries = [*(Query(tag) for tag in tags.adapters), *relatives, *libraries]
    bring_up_to_date(snapshot, queries, pace=pace, refresh=refresh, quiet=quiet)
    for library in LIBRARIES:
        state = snapshot.state(library)
        if state.cut and not quiet:
            tell(f"Only the {state.seen:,} most downloaded models tagged `{library}` were looked through.")


def check_known(snapshot: Snapshot, tags: Tags) -> None:
    """Refuse to go on from nothing.

    Raises:
        HubExpertError: the Hub was never asked about this base.
    """
    asked = tags.adapters[:1] or LIBRARIES[:1]
    if not any(snapshot.state(tag).finished for tag in asked):
        raise HubExpertError("Nothing is known of this base on this machine yet.", fix="run it once with a network")


def family_of(base: str, snapshot: Snapshot, tags: Tags) -> Family:
    """What other repositories are to the base, as far as the snapshot knows."""
    quantized = [name for tag in tags.quantized for name in snapshot.names(tag)]
    return family(base, quantized, [name for tag in tags.finetunes for name in snapshot.names(tag)])


def listed(snapshot: Snapshot, tags: Tags, kin: Family, section: DiscoverSection) -> Iterator[Found]:
    """What the listings hold for the base, in the order the recipe asks for."""

    def related(name: str) -> bool:
        return kin.relation(name) is not None

    for listing, tagged, stated in snapshot.adapters(tags.adapters, LIBRARIES, related, sort=section.sort):
        if not _excluded(listing.source.repo, section):
            ways: list[FoundBy] = ["tag"] if tagged else []
            yield Found(listing, (*ways, "config") if stated else tuple(ways))


def named(
    section: DiscoverSection, snapshot: Snapshot | None, pace: hub.Pace
) -> tuple[dict[str, hub.Listing], dict[str, hub.SourceError]]:
    """What is known of the adapters that the recipe names, and why nothing is known of others.

    Args:
        section: its `include`.
        snapshot: what is known offline; None where the Hub is asked.
        pace: of the requests.
    """
    seen: dict[str, hub.Listing] = {}
    unseen: dict[str, hub.SourceError] = {}
    for entry in dict.fromkeys(section.include):
        repo, _, revision = entry.strip().partition("@")
        if _excluded(repo, section):
            continue
        try:
            listing = _offline(snapshot, repo, revision) if snapshot else hub.look(repo, revision or None, pace=pace)
            if not _excluded(listing.source.repo, section):
                seen[listing.source.repo] = listing  # not the name as typed: a former one, or in another case
        except hub.SourceError as error:
            unseen.setdefault(repo.lower(), error)
    known = {name.lower() for name in seen}
    return seen, {repo: error for repo, error in unseen.items() if repo not in known}


def _offline(snapshot: Snapshot, repo: str, revision: str) -> hub.Listing:
    """What is known of a named adapter; only its main branch is."""
    listing = snapshot.listing(repo)
    if revision and revision != listing.source.revision:
        raise hub.SourceError(f"{repo}@{revision} is not known offline.", fix="run it online once", kind="missing")
    return listing


def _excluded(repo: str, section: DiscoverSection) -> bool:
    """Whether the recipe leaves the repository out; to the Hub, too, case makes no other name."""
    return any(fnmatch.fnmatchcase(repo.lower(), form.lower()) for form in section.exclude)


def tell(sentence: str) -> None:
    """A remark on stderr."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201
