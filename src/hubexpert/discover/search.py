"""A base by its name alone: what the table of aliases does not know, the Hub may."""

import re

from hubexpert import hub
from hubexpert.discover.aliases import (
    AmbiguousBaseError,
    UnknownBaseError,
    canonical_base,
    did_you_mean,
    plain,
    short_name,
    split_base,
)
from hubexpert.errors import HubExpertError
from hubexpert.escape import clean
from hubexpert.kinds import CONFIG_FILE

HITS = 100  # models that a search looks at, most downloaded first


def resolve_name(base: str, *, offline: bool = False, quiet: bool = False) -> tuple[str, str | None]:
    """The base's id on the Hub, or its folder as written, and the revision asked for after `@` (None: none).

    The Hub is searched, in at most two requests, for a name that is neither a folder, nor `owner/name`, nor an alias.

    Raises:
        AmbiguousBaseError: the name means several bases.
        HubExpertError: no base has that name, or the Hub cannot be asked.
    """
    try:
        return canonical_base(base)
    except UnknownBaseError as unknown:
        if offline or hub.offline():
            fix = f"{unknown.fix}, or have the Hub searched: without --offline and HF_HUB_OFFLINE"
            raise UnknownBaseError(unknown.message, fix=fix) from None
    name, revision = split_base(base)
    return _searched(name, hub.Pace(quiet)), revision


def _searched(name: str, pace: hub.Pace) -> str:
    """The id of the one base on the Hub that has this name."""
    texts = dict.fromkeys((re.sub(r"\s+", "-", name), name))
    hits = {hit.source.repo: hit for text in texts for hit in hub.search(text, limit=HITS, pace=pace)}
    named = sorted((hit for hit in hits.values() if _named(hit, name)), key=_downloads)
    whole = [hit for hit in named if _whole(hit)]
    owners = {hit.author for hit in whole if _exact(hit, name)}  # theirs with an ending is the same in another format
    meant = [hit for hit in whole if _exact(hit, name) or hit.author not in owners]
    if len(meant) == 1:
        return meant[0].source.repo
    if meant:
        notes = [f"{hit.downloads:,} download{'' if hit.downloads == 1 else 's'}" for hit in meant]
        raise AmbiguousBaseError(name, [hit.source.repo for hit in meant], notes=notes)
    others = sorted(
        (hit for hit in hits.values() if hit not in named), key=lambda hit: (not _whole(hit), *_downloads(hit))
    )
    raise _nothing(name, [hit.source.repo for hit in (*named, *others)][:3])


def _nothing(name: str, nearest: list[str]) -> HubExpertError:
    """The error where no model is the one that is asked for, with what comes near on the Hub."""
    near = f"; near on the Hub: {', '.join(map(clean, nearest))}" if nearest else ""
    message = f"There is no alias {clean(name, longest=80)!r}, and {hub.endpoint()} has no base model of that name."
    return HubExpertError(message, fix=f"{did_you_mean(name)}give the full id, `owner/name`{near}")


def _whole(hit: hub.Listing) -> bool:
    """Whether it is a model of its own, not an adapter, a fine-tune, a merge or a quantised copy of another."""
    return not any(relation for relation, _ in hit.bases) and CONFIG_FILE not in hit.files


def _exact(hit: hub.Listing, name: str) -> bool:
    return plain(hit.source.repo.rpartition("/")[2]) == plain(name)


def _named(hit: hub.Listing, name: str) -> bool:
    """Whether it has that name, the usual endings apart."""
    return _exact(hit, name) or plain(short_name(hit.source.repo)) == plain(name)


def _downloads(hit: hub.Listing) -> tuple[int, str]:
    return -hit.downloads, hit.source.repo
