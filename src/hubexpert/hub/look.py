"""What the Hub says about repositories: pages of models, one model, the commit behind a name."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from huggingface_hub import DatasetInfo, HfApi, ModelInfo, constants
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.errors import HubExpertError
from hubexpert.hub.cache import in_cache
from hubexpert.hub.calls import TIMEOUT, SourceError, call
from hubexpert.hub.license import card_license, stated_license
from hubexpert.hub.listing import COMMIT, Listing, listing
from hubexpert.hub.pace import Pace
from hubexpert.hub.web import LONGEST, get_json, pages, read
from hubexpert.kinds import CONFIG_FILE
from hubexpert.records import Source

# Not `cardData`, which may be large: the tags say the same but for the name of a licence that has no id.
FULL = ("author", "config", "downloads", "gated", "lastModified", "likes", "private", "sha", "siblings", "tags")
BRIEF = ("downloads", "lastModified", "sha")
SORTS = {"downloads": "downloads", "modified": "lastModified"}


@dataclass(frozen=True)
class ModelPage:
    """One page of a listing of models; `next` leads to the following one, `asked` is the Hub's clock (seconds)."""

    models: tuple[Listing, ...]
    next: str | None
    asked: float | None


def model_pages(
    tag: str,
    *,
    sort: Literal["downloads", "modified"] = "downloads",
    size: int = 1000,
    full: bool = True,
    resume: str | None = None,
    pace: Pace | None = None,
) -> Iterator[ModelPage]:
    """The models that carry a tag, page by page; each page is asked for when it is needed.

    Args:
        tag: one that the Hub has computed or the card gives.
        sort: most downloaded or last changed first.
        size: entries of a page.
        full: tell everything; else only the name, the commit, when it changed, and the downloads.
        resume: `ModelPage.next` of an earlier page, to go on from there.
        pace: of the work the requests belong to.

    Raises:
        CursorError: the Hub no longer knows where to go on.
        HubExpertError: the Hub cannot be reached, is offline, or refuses.
    """
    expand = [("expand", name) for name in (FULL if full else BRIEF)]
    query = [("filter", tag), ("sort", SORTS[sort]), ("limit", str(size)), *expand]
    for page in pages("models", query, resume=resume, pace=pace or Pace()):
        yield ModelPage(_listings(page.entries), page.next, page.asked)


def search(words: str, *, limit: int, pace: Pace | None = None) -> list[Listing]:
    """The most downloaded models whose ids hold this text; one request.

    Raises:
        HubExpertError: the Hub cannot be reached, is offline, or refuses.
    """
    query = [("search", words), ("sort", "downloads"), ("limit", str(limit)), *(("expand", name) for name in FULL)]
    return list(_listings(next(pages("models", query, pace=pace or Pace())).entries))


def look(repo: str, revision: str | None = None, *, pace: Pace | None = None) -> Listing:
    """All that the Hub says about the model `repo` at that revision, with its size and scans; one request.

    Raises:
        SourceError: it is missing.
        HubExpertError: the Hub cannot be reached.
    """
    at = f"/revision/{quote(revision, safe='')}" if revision else ""
    call(lambda: validate_repo_id(repo), repo)
    asked = [("blobs", "true"), ("securityStatus", "true")]
    address = f"{constants.ENDPOINT}/api/models/{repo}{at}"
    raw, _ = get_json(address, repo, pace=pace or Pace(), parameters=asked)
    found = listing(raw) if isinstance(raw, dict) else None
    if found is None:
        raise SourceError(f"{repo} has no commit.", fix="leave it out", kind="missing")
    return found


def see_open(source: Source, *, pace: Pace) -> None:
    """See that this token may read the files of a gated repository, which its description does not tell; one request.

    Raises:
        SourceError: it may not.
        HubExpertError: the Hub cannot be reached.
    """
    address = f"{constants.ENDPOINT}/api/{source.repo_type}s/{source.repo}/auth-check"
    call(lambda: read(address, longest=LONGEST, pace=pace), source.repo, rest=pace.pause)


def _listings(entries: Sequence[Mapping[str, Any]]) -> tuple[Listing, ...]:
    return tuple(found for entry in entries if (found := listing(entry)))


def resolve(
    repo: str, *, repo_type: Literal["model", "dataset"] = "model", revision: str | None = None
) -> Source:  # fmt: skip
    """The repository at the commit behind `revision` (default: its main branch), with its licence.

    A full commit whose card is in the cache costs no request; another one that is in the cache is taken from there
    when the Hub cannot be asked. A branch is taken from the cache in offline mode only.

    Raises:
        SourceError: the repository or revision is missing, private or gated.
        HubExpertError: the Hub cannot be reached, or the token is not accepted.
    """
    pinned = revision is not None and COMMIT.fullmatch(revision) is not None
    card = in_cache(repo, repo_type, revision, "README.md")
    if pinned and card:
        return Source(repo=repo, revision=revision or "", license=card_license(card), repo_type=repo_type)
    try:
        info = _info(repo, repo_type, revision)
    except SourceError:
        raise
    except HubExpertError:
        snapshot = card or in_cache(repo, repo_type, revision, "config.json", CONFIG_FILE)
        if snapshot is None or not (pinned or constants.is_offline_mode()):
            raise  # a branch in the cache may have moved on the Hub: that is for offline mode only
        license_ = card_license(card) if card else None
        return Source(repo=repo, revision=_commit_of(snapshot), license=license_, repo_type=repo_type)
    if not isinstance(info.sha, str):
        raise SourceError(f"{repo} has no commit.", fix="choose a repository with files", kind="missing")
    return Source(repo=repo, revision=info.sha, license=_info_license(info), repo_type=repo_type)


def _info(repo: str, repo_type: str, revision: str | None) -> ModelInfo | DatasetInfo:
    api = HfApi()
    with _cards_read(repo):
        if repo_type == "dataset":
            return call(lambda: api.dataset_info(repo, revision=revision, timeout=TIMEOUT), repo)
        return call(lambda: api.model_info(repo, revision=revision, timeout=TIMEOUT), repo)


def _info_license(info: ModelInfo | DatasetInfo) -> str | None:
    return stated_license(info.tags or (), vars(info.card_data) if info.card_data else {})


@contextmanager
def _cards_read(repo: str) -> Iterator[None]:
    """Within the block a card of a form that the client does not expect is a `SourceError`."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise SourceError(f"The metadata of {repo} cannot be read.", fix="correct its card", kind="broken") from error


def _commit_of(path: Path) -> str:
    """The commit of a file at the root of a snapshot in the cache."""
    return path.parent.name
