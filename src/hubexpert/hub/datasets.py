"""What the Hub says about datasets: one, or those that a search finds; one request each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from huggingface_hub import constants
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.frontmatter import plain
from hubexpert.hub.calls import SourceError, call
from hubexpert.hub.license import stated_license
from hubexpert.hub.listing import COMMIT, count, text
from hubexpert.hub.pace import Pace
from hubexpert.hub.web import get_json, page
from hubexpert.records import Source

EXPAND = ("cardData", "downloads", "gated", "lastModified", "mainSize", "private", "sha", "siblings", "tags")
MOST = 1000  # tags and files of a dataset that are kept
ODD = (
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)  # what reading an answer of another form raises


@dataclass(frozen=True)
class DatasetListing:
    """What the Hub says about a dataset.

    Attributes:
        source: the dataset under its present name, at its commit.
        size: bytes of all its files; None where the Hub does not tell.
        card: its card's metadata as plain JSON values, empty where it has none.
        files: the names of its files.
        last_modified: an ISO date and time.
    """

    source: Source
    downloads: int
    gated: bool
    private: bool
    size: int | None
    card: dict[str, Any]
    files: tuple[str, ...]
    tags: tuple[str, ...]
    last_modified: str | None


def look_dataset(repo: str, revision: str | None = None, *, pace: Pace | None = None) -> DatasetListing:
    """What the Hub says about the dataset `repo` at that revision (default: its main branch).

    Raises:
        SourceError: it is missing, private or gated, or what the Hub says of it cannot be read.
        HubExpertError: the Hub cannot be reached, or the token is not accepted.
    """
    call(lambda: validate_repo_id(repo), repo)
    at = f"/revision/{quote(revision, safe='')}" if revision else ""
    address = f"{constants.ENDPOINT}/api/datasets/{repo}{at}"
    said, _ = get_json(address, repo, pace=pace or Pace(), parameters=[("blobs", "true")])
    try:
        return _read(said)
    except ODD as error:
        raise SourceError(f"The metadata of {repo} cannot be read.", fix="leave it out", kind="broken") from error


def search_datasets(
    text: str | None, tags: Sequence[str], limit: int, *, pace: Pace | None = None
) -> list[DatasetListing]:
    """Up to `limit` datasets whose name contains `text` and that carry all of these tags, most downloaded first.

    One of which the Hub says what cannot be read is left out.

    Raises:
        SourceError: the Hub refuses this search.
        HubExpertError: the Hub cannot be reached.
    """
    asked = [*(("search", word) for word in (text,) if word), *(("filter", tag) for tag in tags)]
    asked += [("sort", "downloads"), ("limit", str(limit)), *(("expand", name) for name in EXPAND)]
    found = []
    hits = page("datasets", asked, pace=pace or Pace(), about="a search for datasets").entries
    for item in hits[:limit]:
        try:
            found.append(_read(item))
        except ODD:
            continue
    return found


def _read(said: Any) -> DatasetListing:
    """The Hub's words on one dataset; one of `ODD` where they are of another form."""
    card, tags, sha = said.get("cardData"), said.get("tags"), said["sha"]
    if not COMMIT.fullmatch(sha) or not isinstance(card, dict | None):
        raise ValueError("no commit, or a card that is no mapping")
    card = plain(card or {})
    tags = [text(tag) for tag in tags[:MOST] if isinstance(tag, str)] if isinstance(tags, list) else []
    validate_repo_id(said["id"])
    files = [file for file in said.get("siblings") or [] if isinstance(file["rfilename"], str)]
    sizes = [count(file.get("size")) for file in files]
    known = [size for size in sizes if size is not None]
    source = Source(repo=said["id"], revision=sha, license=stated_license(tags, card), repo_type="dataset")
    return DatasetListing(
        source=source,
        downloads=count(said.get("downloads")) or 0,
        gated=bool(said.get("gated")),
        private=bool(said.get("private")),
        size=sum(known) if known else count(said.get("mainSize")),
        card=card,
        files=tuple(text(file["rfilename"]) for file in files[:MOST]),
        tags=tuple(tags),
        last_modified=text(said["lastModified"]) if isinstance(said.get("lastModified"), str) else None,
    )
