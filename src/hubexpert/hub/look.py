"""What the Hub says about repositories: listings, one repository, its files, the commit behind a name."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import DatasetInfo, HfApi, ModelInfo, constants, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from huggingface_hub.hf_api import ExpandModelProperty_T

from hubexpert.errors import HubExpertError
from hubexpert.hub.calls import CLIENT_ERRORS, TIMEOUT, SourceError, call, cause_of, translated
from hubexpert.hub.license import card_license, stated_license
from hubexpert.records import Source

COMMIT = re.compile(r"[0-9a-f]{40}")
RELATION = re.compile(r"^base_model:(adapter|finetune|quantized|merge):", re.MULTILINE)
# Not `cardData`: the client parses cards, and one it cannot parse would end the listing. The tags say the same but for
# the name of a licence that has no id.
EXPAND: list[ExpandModelProperty_T] = [
    "author", "config", "downloads", "gated", "lastModified", "private", "sha", "siblings", "tags",
]  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """What a listing says about a model.

    Attributes:
        source: the model at its present commit.
        base: the base that its `adapter_config.json` names, as the Hub has read it.
        bases: the bases that its card names as those of an adapter.
        files: the names of its files.
        datasets: the datasets that its card cites.
        relations: what its card says it is to a base: `adapter`, `finetune`, `quantized`, `merge`.
    """

    source: Source
    base: str | None
    bases: tuple[str, ...]
    files: tuple[str, ...]
    datasets: tuple[str, ...]
    author: str | None
    last_modified: str | None
    downloads: int
    gated: bool
    private: bool
    relations: tuple[str, ...] = ()


@dataclass(frozen=True)
class RepoFiles:
    """A repository's files at one commit.

    Attributes:
        license: its licence, with the name of one that has no id of its own.
        sizes: file -> bytes.
        issues: what the Hub's scans object to: (file, level), the level one of unsafe, malicious, suspicious, caution.
    """

    license: str | None
    sizes: dict[str, int]
    issues: tuple[tuple[str, str], ...]


def listing(tags: Sequence[str]) -> Iterator[Listing]:
    """The models that carry all of these tags, most downloaded first; further pages are asked for when needed.

    Raises:
        HubExpertError: the Hub cannot be reached, is offline, or refuses.
    """
    models = iter(HfApi().list_models(filter=list(tags), sort="downloads", expand=EXPAND))
    while True:
        try:
            info = next(models, None)
        except CLIENT_ERRORS as error:  # the client has tried the page again by itself
            raise translated(cause_of(error), "The listing") from error
        if info is None:
            return
        if isinstance(info.sha, str) and COMMIT.fullmatch(info.sha):
            yield _listed(info)


def search(text: str, *, limit: int) -> list[Listing]:
    """The models whose id contains the text, most downloaded first, at most `limit`: one request.

    Raises:
        HubExpertError: the Hub cannot be reached, is offline, or refuses.
    """
    try:
        found = list(HfApi().list_models(search=text, sort="downloads", limit=limit, expand=EXPAND))
    except CLIENT_ERRORS as error:  # the client has tried it again by itself
        raise translated(cause_of(error), "The search") from error
    return [_listed(info) for info in found if isinstance(info.sha, str) and COMMIT.fullmatch(info.sha)]


def look(repo: str, revision: str | None = None) -> Listing:
    """What a listing would say about the model `repo`, at that revision; its licence as `resolve` gives it.

    Raises:
        SourceError: it is missing or its metadata cannot be read.
        HubExpertError: the Hub cannot be reached.
    """
    expand: list[ExpandModelProperty_T] = [*EXPAND, "cardData"]
    with _cards_read(repo):
        info = call(lambda: HfApi().model_info(repo, revision=revision, expand=expand, timeout=TIMEOUT), repo)
    if not isinstance(info.sha, str):
        raise SourceError(f"{repo} has no commit.", fix="leave it out", kind="missing")
    return _listed(info)


def repo_files(source: Source) -> RepoFiles:
    """The files of a model with their sizes, and what the Hub's security scans say of them.

    Raises:
        SourceError: it is missing, or its metadata cannot be read.
        HubExpertError: the Hub cannot be reached.
    """
    info = _info(source.repo, "model", source.revision, files=True)
    status = info.security_repo_status if isinstance(info, ModelInfo) else None
    found = status.get("filesWithIssues") if isinstance(status, dict) else None
    issues = [issue for issue in found if isinstance(issue, dict)] if isinstance(found, list) else []
    return RepoFiles(
        license=stated_license(info),
        sizes={file.rfilename: file.size for file in info.siblings or [] if file.size is not None},
        issues=tuple((str(issue.get("path")), str(issue.get("level"))) for issue in issues),
    )


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
    card = _cached(repo, repo_type, revision, "README.md")
    if pinned and card:
        return Source(repo=repo, revision=revision or "", license=card_license(card), repo_type=repo_type)
    try:
        info = _info(repo, repo_type, revision)
    except SourceError:
        raise
    except HubExpertError:
        snapshot = card or _cached(repo, repo_type, revision, "config.json", "adapter_config.json")
        if snapshot is None or not (pinned or constants.is_offline_mode()):
            raise  # a branch in the cache may have moved on the Hub: that is for offline mode only
        license_ = card_license(card) if card else None
        return Source(repo=repo, revision=_commit_of(snapshot), license=license_, repo_type=repo_type)
    if not isinstance(info.sha, str):
        raise SourceError(f"{repo} has no commit.", fix="choose a repository with files", kind="missing")
    return Source(repo=repo, revision=info.sha, license=stated_license(info), repo_type=repo_type)


def _info(repo: str, repo_type: str, revision: str | None, *, files: bool = False) -> ModelInfo | DatasetInfo:
    api = HfApi()
    with _cards_read(repo):
        if repo_type == "dataset":
            return call(lambda: api.dataset_info(repo, revision=revision, timeout=TIMEOUT), repo)
        return call(
            lambda: api.model_info(
                repo, revision=revision, files_metadata=files, securityStatus=files or None, timeout=TIMEOUT
            ),
            repo,
        )


@contextmanager
def _cards_read(repo: str) -> Iterator[None]:
    """Within the block a card of a form that the client does not expect is a `SourceError`."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise SourceError(f"The metadata of {repo} cannot be read.", fix="correct its card", kind="broken") from error


def _listed(info: ModelInfo) -> Listing:
    tags = [tag for tag in info.tags or [] if isinstance(tag, str)]
    peft = info.config.get("peft") if isinstance(info.config, dict) else None
    base = peft.get("base_model_name_or_path") if isinstance(peft, dict) else None
    return Listing(
        source=Source(repo=info.id, revision=str(info.sha), license=stated_license(info)),
        base=base if isinstance(base, str) and base else None,
        bases=tuple(_after("base_model:adapter:", tags)),
        files=tuple(file.rfilename for file in info.siblings or []),
        datasets=tuple(_after("dataset:", tags)),
        author=info.author or info.id.partition("/")[0],
        last_modified=info.last_modified.isoformat() if info.last_modified else None,
        downloads=info.downloads or 0,
        gated=bool(info.gated),
        private=bool(info.private),
        relations=tuple(dict.fromkeys(RELATION.findall("\n".join(tags)))),
    )


def _after(prefix: str, tags: Sequence[str]) -> Iterator[str]:
    """What follows the prefix, once each, in order."""
    return iter(dict.fromkeys(tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)))


def _cached(repo: str, repo_type: str, revision: str | None, *names: str) -> Path | None:
    """The first of these files that is in the cache at that revision."""
    for name in names:
        try:
            path = try_to_load_from_cache(repo, name, revision=revision, repo_type=repo_type)
        except HFValidationError:  # no name of a repository; the Hub is asked and says so
            return None
        if isinstance(path, str):
            return Path(path)
    return None


def _commit_of(path: Path) -> str:
    """The commit of a file at the root of a snapshot in the cache."""
    return path.parent.name
