"""One folder published as one commit: never over someone else's change, never twice."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import (
    CommitInfo,
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    get_session,
    get_token,
)
from huggingface_hub.errors import HfHubHTTPError, OIDCError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.errors import HubExpertError
from hubexpert.escape import clean
from hubexpert.hub.calls import (
    ATTEMPTS,
    CLIENT_ERRORS,
    FIRST_WAIT,
    LOGIN,
    TIMEOUT,
    call,
    cause_of,
    endpoint,
    may_pass,
    pause,
    translated,
)
from hubexpert.records import Published

# What an earlier mixture may have left in the repository. Exact names: what else lies there is its owner's.
GENERATED = (
    "adapter_config.json", "adapter_model.safetensors", "router.safetensors", "figures/comparison.png",
    "figures/pool.png", "figures/shares.png", "figures/contributions.png",
)  # fmt: skip
COMPARED = 5  # open pull requests of the same title that are compared with the folder


@dataclass(frozen=True)
class _Changes:
    """What turns the repository into the folder: file in the repository -> file on disk, and files to delete."""

    add: dict[str, Path]
    delete: tuple[str, ...]

    @property
    def none(self) -> bool:
        return not (self.add or self.delete)


def publish(repo: str, folder: Path, *, message: str, private: bool, create_pr: bool) -> Published:
    """Make the model repository hold what the folder holds, by one commit or one pull request.

    The repository is made if it is missing. Generated files which the folder no longer has are deleted in the same
    commit; other files of the repository stay. Where nothing differs there is no commit and `changed` is False.

    Args:
        repo: `owner/name`.
        folder: what to publish; names that begin with a dot are left out.
        message: the commit's first line.
        private: make a missing repository private.
        create_pr: open a pull request on an existing repository; reading rights suffice.

    Raises:
        HubExpertError: no token, no permission, the branch moved meanwhile, the card's metadata are refused, or the
            Hub cannot be reached.
    """
    _require_token()
    api = HfApi()
    if not create_pr:
        call(lambda: api.create_repo(repo, private=private, exist_ok=True), repo)
    head = _head(api, repo, None)
    changes = _changes(api, repo, folder, head)
    if changes.none:
        return Published(repo=repo, url=f"{endpoint()}/{repo}", commit=head, changed=False)
    if create_pr:
        return _open_pull_request(api, repo, folder, message, head, changes)
    return _commit(api, repo, folder, message, head, changes)


def card_fault(text: str) -> str | None:
    """What the Hub would object to in a model card's metadata; None where it accepts them. One request.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    address, asked = f"{constants.ENDPOINT}/api/validate-yaml", {"content": text, "repoType": "model"}

    def ask() -> str | None:
        answer = get_session().post(address, json=asked, headers=build_hf_headers(), timeout=TIMEOUT)
        if answer.status_code != 400:
            hf_raise_for_status(answer)
            return None
        errors = answer.json().get("errors") or [{}]
        return clean("; ".join(str(error.get("message", "no reason given")) for error in errors))

    return call(ask, "the model card")


def _require_token() -> None:
    try:
        token = get_token()
    except OIDCError as error:
        raise translated(error, "the token") from error
    if not token:
        raise HubExpertError("Publishing needs a Hub token and there is none.", fix=LOGIN)


def _head(api: HfApi, repo: str, revision: str | None) -> str:
    """The commit at the end of that branch."""
    sha = call(lambda: api.model_info(repo, revision=revision, timeout=TIMEOUT), repo).sha
    if sha is None:
        raise HubExpertError(f"{repo} has no commit to build on.", fix=f"delete {repo} on the Hub and publish again")
    return sha


def _changes(api: HfApi, repo: str, folder: Path, revision: str) -> _Changes:
    """How the folder differs from the repository at that commit."""
    tree = call(lambda: list(api.list_repo_tree(repo, recursive=True, revision=revision)), repo)
    there = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    here = _files(folder)
    stale = (path for path in GENERATED if path in there and path not in here)
    changed = {path: file for path, file in here.items() if path not in there or not _same(file, there[path])}
    return _Changes(add=changed, delete=tuple(sorted(stale)))


def _files(folder: Path) -> dict[str, Path]:
    """The folder's files by their names in the repository, without hidden ones."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    visible = {name: path for name, path in files.items() if not any(part[0] == "." for part in name.split("/"))}
    if not visible:
        raise HubExpertError(f"There is nothing to publish in {folder}.", fix="hubexpert run")
    return visible


def _same(file: Path, entry: RepoFile) -> bool:
    """Whether the file's content is that of the entry: by SHA-256 in large-file storage, else by git's blob id."""
    if entry.size != file.stat().st_size:
        return False
    with file.open("rb") as stream:
        if entry.lfs is not None:
            return hashlib.file_digest(stream, "sha256").hexdigest() == entry.lfs.sha256
        content = stream.read()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return blob.hexdigest() == entry.blob_id


def _send(api: HfApi, repo: str, message: str, head: str, changes: _Changes, create_pr: bool) -> CommitInfo:
    """Ask for the commit once. The operations are made anew each time: the client marks the ones it has used."""
    additions = [CommitOperationAdd(name, str(path)) for name, path in changes.add.items()]
    deletions = [CommitOperationDelete(name) for name in changes.delete]
    operations: list[CommitOperationAdd | CommitOperationDelete] = [*additions, *deletions]
    try:
        return api.create_commit(
            repo, operations, commit_message=message, parent_commit=head, create_pr=create_pr or None
        )
    except HfHubHTTPError:
        raise  # some of these are ValueErrors too
    except RuntimeError as error:  # the client's wrapping of what goes wrong in the upload of a large file
        raise error.__cause__ or error  # noqa: B904  it is the cause that is told
    except ValueError as error:  # the Hub's check of the card's metadata, made before anything is uploaded
        raise HubExpertError(
            f"The Hub refuses the model card's metadata: {clean(error)}",
            fix="correct the head of README.md, publish again",
        ) from error


def _commit(api: HfApi, repo: str, folder: Path, message: str, head: str, changes: _Changes) -> Published:
    """One commit on the main branch. After a lost answer the branch tells whether the commit was made."""
    lost: BaseException | None = None
    for attempt in range(ATTEMPTS):
        try:
            commit = _send(api, repo, message, head, changes, False)
            return Published(repo=repo, url=f"{endpoint()}/{repo}", commit=commit.oid, changed=True)
        except CLIENT_ERRORS as error:
            cause = cause_of(error)
            moved = isinstance(cause, HfHubHTTPError) and cause.response.status_code == 412
            if not moved and not may_pass(cause):
                raise translated(cause, repo) from error
            lost = lost if moved else cause
        present = _head(api, repo, None)
        if present != head:
            if not _changes(api, repo, folder, present).none:
                raise _moved(repo)
            return Published(repo=repo, url=f"{endpoint()}/{repo}", commit=present, changed=lost is not None)
        pause(FIRST_WAIT * 2**attempt)
    raise translated(lost, repo) if lost else _moved(repo)


def _moved(repo: str) -> HubExpertError:
    return HubExpertError(
        f"Someone else's commit has moved the main branch of {repo} meanwhile.",
        fix=f"look at {endpoint()}/{repo}/commits/main, then run `hubexpert publish` again, or with --create-pr",
    )


def _open_pull_request(api: HfApi, repo: str, folder: Path, message: str, head: str, changes: _Changes) -> Published:
    """One pull request from the head. An open one with this title and content is taken for it.

    So a second publish opens no second one, and after a lost answer the open ones tell whether it was made.
    """
    present = _open_already(api, repo, folder, message)
    if present:
        return present
    lost: BaseException | None = None
    for attempt in range(ATTEMPTS):
        try:
            commit = _send(api, repo, message, head, changes, True)
            return Published(repo=repo, url=commit.pr_url or f"{endpoint()}/{repo}", commit=commit.oid, changed=True)
        except CLIENT_ERRORS as error:
            lost = cause_of(error)
            if not may_pass(lost):
                raise translated(lost, repo) from error
        made = _open_already(api, repo, folder, message)
        if made:
            return made.model_copy(update={"changed": True})
        pause(FIRST_WAIT * 2**attempt)
    raise translated(lost or ConnectionError(), repo)


def _open_already(api: HfApi, repo: str, folder: Path, title: str) -> Published | None:
    """The newest open pull request with that title which holds what the folder holds."""
    requests = call(
        lambda: list(api.get_repo_discussions(repo, discussion_type="pull_request", discussion_status="open")), repo
    )
    for number in sorted((request.num for request in requests if request.title == title), reverse=True)[:COMPARED]:
        commit = _head(api, repo, f"refs/pr/{number}")
        if _changes(api, repo, folder, commit).none:
            url = f"{endpoint()}/{repo}/discussions/{number}"
            return Published(repo=repo, url=url, commit=commit, changed=False)
    return None
