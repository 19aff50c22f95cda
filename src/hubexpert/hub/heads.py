"""Where repositories stand now: several of one owner, or of one base, by one request; a model's newest commits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from huggingface_hub import constants
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.frontmatter import plain
from hubexpert.hub.calls import SourceError, call
from hubexpert.hub.license import stated_license
from hubexpert.hub.listing import COMMIT, identified, text
from hubexpert.hub.pace import Pace
from hubexpert.hub.web import get_json, page
from hubexpert.records import Source

RepoType = Literal["model", "dataset"]
MOST = 100  # repositories of a listing
EXPAND = ("cardData", "gated", "sha", "tags")


@dataclass(frozen=True)
class Head:
    """A repository at the head of its main branch, with its present licence, and whether it is gated."""

    source: Source
    gated: bool


def heads(owner: str, repo_type: RepoType, *, pace: Pace) -> tuple[Head, ...]:
    """The owner's most downloaded repositories, at most 100, as this token sees them; one request.

    One that is not among them may exist all the same; one of which the Hub says what cannot be read is left out.

    Raises:
        HubExpertError: the Hub cannot be reached or refuses.
    """
    return _listed(repo_type, ("author", owner), f"the repositories of {owner}", pace)


def adapter_heads(base: str, *, pace: Pace) -> tuple[Head, ...]:
    """The same of the adapters that are tagged as this base's.

    Raises:
        HubExpertError: the Hub cannot be reached or refuses.
    """
    return _listed("model", ("filter", f"base_model:adapter:{base}"), f"the adapters of {base}", pace)


def _listed(repo_type: RepoType, which: tuple[str, str], about: str, pace: Pace) -> tuple[Head, ...]:
    query = [which, ("sort", "downloads"), ("limit", str(MOST)), *(("expand", name) for name in EXPAND)]
    entries = page(f"{repo_type}s", query, pace=pace, about=about).entries
    return tuple(head for entry in entries if (head := _head(entry, repo_type)))


def newest(repo: str, *, pace: Pace) -> tuple[Source, str]:
    """The model `repo` at the head of its main branch, without its licence, and that commit's title; one request.

    Raises:
        SourceError: it is missing or gated.
        HubExpertError: the Hub cannot be reached.
    """
    call(lambda: validate_repo_id(repo), repo)
    first = next(iter(_commits(repo, "main", pace)), {})
    commit = first.get("id")
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise SourceError(f"{repo} has no commit.", fix="publish to it first", kind="missing")
    return Source(repo=repo, revision=commit), text(first.get("title"))


def titles(source: Source) -> list[str]:
    """The first lines of a model's last commits up to the source's, the newest first; one request.

    Raises:
        SourceError: it is missing.
        HubExpertError: the Hub cannot be reached.
    """
    return [text(commit.get("title")) for commit in _commits(source.repo, source.revision, Pace())]


def _commits(repo: str, revision: str, pace: Pace) -> list[dict[str, Any]]:
    raw, _ = get_json(f"{constants.ENDPOINT}/api/models/{repo}/commits/{revision}", repo, pace=pace)
    return [commit for commit in raw if isinstance(commit, dict)] if isinstance(raw, list) else []


def _head(entry: Mapping[str, Any], repo_type: RepoType) -> Head | None:
    if (known := identified(entry)) is None:
        return None
    (repo, sha), tags, card = known, entry.get("tags"), entry.get("cardData")
    told = stated_license(tags if isinstance(tags, list) else (), plain(card) if isinstance(card, dict) else {})
    return Head(Source(repo=repo, revision=sha, license=told, repo_type=repo_type), bool(entry.get("gated")))
