"""One folder published as one commit: on a branch or as a pull request, with a tag, never twice."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from huggingface_hub import HfApi

from hubexpert.errors import HubExpertError
from hubexpert.hub.calls import SourceError, endpoint
from hubexpert.hub.changes import FileChange, changes, unchanged
from hubexpert.hub.commits import commit
from hubexpert.hub.proposals import propose
from hubexpert.hub.refs import MAIN, Refs, check_tag, make_branch, refs, set_tag, start
from hubexpert.hub.rights import CREATE, require_token, writing
from hubexpert.records import Published


@dataclass(frozen=True)
class Comparison:
    """How a folder differs from a repository.

    Attributes:
        commit: what it was compared with; None where there is no repository that may be seen.
        files: every file of the folder, and those that would be deleted.
        url: where it would be published.
    """

    commit: str | None
    files: tuple[FileChange, ...]
    url: str


def publish(
    repo: str,
    folder: Path,
    *,
    message: str,
    private: bool,
    create_pr: bool,
    revision: str | None = None,
    tag: str | None = None,
) -> Published:
    """Make the model repository hold what the folder holds, by one commit or one pull request.

    The repository is made if it is missing, and so is the branch, from main. Generated files which the folder no longer
    has are deleted in the same commit; other files of the repository stay. Where nothing differs there is no commit and
    `changed` is False.

    Args:
        repo: `owner/name`.
        folder: what to publish; names that begin with a dot are left out.
        message: the commit's first line.
        private: make a missing repository private.
        create_pr: open a pull request on an existing repository; reading rights suffice.
        revision: the branch, or an open pull request `refs/pr/N`; by default main. Not with `create_pr`.
        tag: a name for the commit once it is there. Not with `create_pr`.

    Raises:
        HubExpertError: no token, no permission, the branch moved meanwhile, the tag stands at another commit, the
            card's metadata are refused, or the Hub cannot be reached.
    """
    if create_pr and (revision or tag):
        raise ValueError("a pull request starts from main, and what is not merged is not tagged")
    require_token()
    api, branch = HfApi(), _branch(revision)
    known = refs(api, repo)
    if known is None and not create_pr:
        writing(lambda: api.create_repo(repo, private=private, exist_ok=True), repo, CREATE)
        known = refs(api, repo)
    if known is None:
        raise _missing(repo)
    head = start(known, repo, branch)
    found = changes(api, repo, folder, head)
    if tag:
        check_tag(known, repo, tag, head if unchanged(found) else None)
    if create_pr and not unchanged(found):
        return propose(api, repo, folder, found, message=message, parent=head)
    if branch not in known.heads:
        make_branch(api, repo, branch, head)
    made, changed = head, False
    if not unchanged(found):
        made, changed = commit(api, repo, folder, found, message=message, parent=head, branch=branch)
    if tag:
        set_tag(api, repo, tag, made)
    return Published(repo=repo, url=_address(repo, branch), commit=made, changed=changed)


def compare(
    repo: str, folder: Path, *, create_pr: bool, revision: str | None = None, tag: str | None = None
) -> Comparison:
    """How the folder differs from the repository; a branch that is missing is compared as main, from which it is made.

    Only reads, and needs no token for what is public. All is new where there is no such repository.

    Args:
        repo: `owner/name`.
        folder: what would be published.
        create_pr: a pull request would be opened, so the repository must exist.
        revision: as in `publish`.
        tag: as in `publish`.

    Raises:
        HubExpertError: publishing would be refused because of the branch or the tag, or the Hub cannot be reached.
    """
    api, branch = HfApi(), _branch(revision)
    known = refs(api, repo)
    if known is None and create_pr:
        raise _missing(repo)
    known = known or Refs({}, {})
    head = start(known, repo, branch) if known.heads else None
    found = changes(api, repo, folder, head)
    if tag:
        check_tag(known, repo, tag, head if unchanged(found) else None)
    return Comparison(head, found, _address(repo, branch))


def _branch(revision: str | None) -> str:
    return (revision or MAIN).removeprefix("refs/heads/")


def _address(repo: str, branch: str) -> str:
    """The page on which the branch, or the pull request, is seen."""
    page = f"{endpoint()}/{repo}"
    if branch == MAIN:
        return page
    if branch.startswith("refs/pr/"):
        return f"{page}/discussions/{branch.removeprefix('refs/pr/')}"
    return f"{page}/tree/{quote(branch, safe='')}"


def _missing(repo: str) -> HubExpertError:
    fix = "publish without --create-pr first, which makes it, with a token that may; check the name"
    return SourceError(f"{repo} does not exist on {endpoint()}, or is private.", fix=fix, kind="missing")
