"""What the Hub says about datasets: one, or those that a search finds; one request each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from huggingface_hub import constants, get_session
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, validate_repo_id  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.errors import HubExpertError
from hubexpert.frontmatter import plain
from hubexpert.hub.calls import TIMEOUT, SourceError, call, endpoint
from hubexpert.hub.license import license_of
from hubexpert.records import Source

COMMIT = re.compile(r"[0-9a-f]{40}")
EXPAND = ("cardData", "downloads", "gated", "lastModified", "mainSize", "private", "sha", "siblings", "tags")
ODD = (AttributeError, LookupError, TypeError, ValueError)  # what reading an answer of another form raises


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


def look_dataset(repo: str, revision: str | None = None) -> DatasetListing:
    """What the Hub says about the dataset `repo` at that revision (default: its main branch).

    Raises:
        SourceError: it is missing, private or gated, or what the Hub says of it cannot be read.
        HubExpertError: the Hub cannot be reached, or the token is not accepted.
    """

    def ask() -> Any:
        validate_repo_id(repo)
        at = f"/revision/{quote(revision, safe='')}" if revision else ""
        return _asked(f"/{repo}{at}", {"blobs": True})

    try:
        return _read(call(ask, repo))
    except (*ODD, RecursionError) as error:
        raise SourceError(f"The metadata of {repo} cannot be read.", fix="leave it out", kind="broken") from error


def search_datasets(text: str | None, tags: Sequence[str], limit: int) -> list[DatasetListing]:
    """Up to `limit` datasets whose name contains `text` and that carry all of these tags, most downloaded first.

    One of which the Hub says what cannot be read is left out.

    Raises:
        SourceError: the Hub refuses this search.
        HubExpertError: the Hub cannot be reached.
    """
    asked: dict[str, Any] = {"filter": list(tags), "sort": "downloads", "limit": limit, "expand": list(EXPAND)}
    try:
        answer = call(lambda: _asked("", asked | ({"search": text} if text else {})), "a search for datasets")
    except RecursionError:
        answer = None
    if not isinstance(answer, list):
        raise HubExpertError(f"What answers at {endpoint()} is no Hub.", fix="check HF_ENDPOINT")
    found = []
    for item in answer[:limit]:
        try:
            found.append(_read(item))
        except ODD:
            continue
    return found


def _asked(path: str, params: dict[str, Any]) -> Any:
    """The Hub's answer as it is: the client's own records read cards, and one odd card would end a whole listing."""
    url = f"{constants.ENDPOINT}/api/datasets{path}"
    response = get_session().get(url, params=params, headers=build_hf_headers(), timeout=TIMEOUT)
    hf_raise_for_status(response)
    return response.json()


def _read(said: Any) -> DatasetListing:
    """The Hub's words on one dataset; one of `ODD` where they are of another form."""
    card, tags, sha = said.get("cardData"), said.get("tags"), said["sha"]
    if not COMMIT.fullmatch(sha) or not isinstance(card, dict | None):
        raise ValueError("no commit, or a card that is no mapping")
    card = plain(card or {})
    tags = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    files = [file for file in said.get("siblings") or [] if isinstance(file["rfilename"], str)]
    sizes = [_count(file.get("size")) for file in files]
    known = [size for size in sizes if size is not None]
    source = Source(repo=said["id"], revision=sha, license=license_of(tags, card), repo_type="dataset")
    return DatasetListing(
        source=source,
        downloads=_count(said.get("downloads")) or 0,
        gated=bool(said.get("gated")),
        private=bool(said.get("private")),
        size=sum(known) if known else _count(said.get("mainSize")),
        card=card,
        files=tuple(file["rfilename"] for file in files),
        tags=tuple(tags),
        last_modified=said["lastModified"] if isinstance(said.get("lastModified"), str) else None,
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
