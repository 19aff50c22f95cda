"""Where branches, pull requests and tags of a repository stand; a branch made, a tag set, neither ever moved back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from hubexpert.errors import HubExpertError
from hubexpert.hub.calls import TIMEOUT, SourceError, call
from hubexpert.hub.listing import COMMIT
from hubexpert.hub.rights import WRITE, writing

MAIN = "main"
# What git takes as a name, and the client and this project's Hub, too.
NAME = re.compile(r"(?!.*(?:\.\.|//|/\.|\.lock(?:/|$)|[./]$))[A-Za-z0-9_][\w./+=-]{0,199}", re.ASCII)


@dataclass(frozen=True)
class Refs:
    """The commits at which branches (`main`) and pull requests (`refs/pr/3`), and tags stand, by their names."""

    heads: Mapping[str, str]
    tags: Mapping[str, str]


def refs(api: HfApi, repo: str) -> Refs | None:
    """Where everything stands; None where there is no such repository, or none that the token may see."""
    try:
        found = call(lambda: api.list_repo_refs(repo, include_pull_requests=True), repo)
    except SourceError as error:
        cause = error.__cause__
        if isinstance(cause, RepositoryNotFoundError) and not isinstance(cause, GatedRepoError):
            return None
        raise
    heads = {ref.name: ref.target_commit for ref in found.branches}
    heads |= {ref.ref: ref.target_commit for ref in found.pull_requests or []}
    return Refs(heads, {ref.name: ref.target_commit for ref in found.tags})


def head(api: HfApi, repo: str, branch: str) -> str:
    """The commit at the end of that branch or pull request."""
    sha = call(lambda: api.model_info(repo, revision=branch, timeout=TIMEOUT), repo).sha
    if sha is None:
        raise _no_commit(repo)
    return sha


def start(found: Refs, repo: str, branch: str) -> str:
    """The commit at which the branch stands, or, where it is missing, the one of main, from which it will be made.

    Raises:
        HubExpertError: it is no branch, and none can be made of that name.
    """
    if branch in found.heads:
        return found.heads[branch]
    if branch in found.tags or COMMIT.fullmatch(branch):
        what = "tag" if branch in found.tags else "commit"
        raise HubExpertError(
            f"{branch} is a {what}, and only a branch of {repo} can be published to.",
            fix="name a branch with --revision; --tag names the commit once it is there",
        )
    if branch.startswith("refs/"):
        fix = f"name a branch, or a pull request that is open: refs/pr/N (there are {_pulls(found)})"
        raise SourceError(f"{repo} has no {branch} to publish to.", fix=fix, kind="missing")
    _check_name(branch, "branch")
    if MAIN not in found.heads:
        raise _no_commit(repo)
    return found.heads[MAIN]


def make_branch(api: HfApi, repo: str, branch: str, commit: str) -> None:
    """Let the branch start at that commit; one that is there is left where it stands."""
    writing(lambda: api.create_branch(repo, branch=branch, revision=commit, exist_ok=True), repo, WRITE)


def check_tag(found: Refs, repo: str, tag: str, commit: str | None) -> None:
    """See, before anything is sent, that the tag can stand at `commit`; at one that is still to be made with None.

    Raises:
        HubExpertError: it is no name for a tag, or it stands at another commit.
    """
    _check_name(tag, "tag")
    if tag in found.heads:
        raise HubExpertError(f"{tag} is a branch of {repo}.", fix="choose another name with --tag")
    if tag in found.tags and found.tags[tag] != commit:
        raise HubExpertError(
            f"The tag {tag} of {repo} stands at the commit {found.tags[tag][:12]}, not at this one, and is not moved.",
            fix=f"choose another name with --tag; to give it up: hf repos tag delete {repo} {tag}",
        )


def set_tag(api: HfApi, repo: str, tag: str, commit: str) -> None:
    """Let the tag stand at that commit; where it does already, nothing changes.

    Raises:
        HubExpertError: someone else was quicker and set it at another commit, or the token may not.
    """
    writing(lambda: api.create_tag(repo, tag=tag, revision=commit, exist_ok=True), repo, WRITE)
    found = refs(api, repo)
    if found is not None:
        check_tag(found, repo, tag, commit)


def _check_name(name: str, what: str) -> None:
    if not NAME.fullmatch(name):
        raise HubExpertError(f"{name!r} is no name for a {what}.", fix="use letters, digits and any of . _ / + = -")


def _pulls(found: Refs) -> str:
    return ", ".join(name for name in found.heads if name.startswith("refs/")) or "none"


def _no_commit(repo: str) -> HubExpertError:
    return HubExpertError(f"{repo} has no commit to build on.", fix=f"delete {repo} on the Hub and publish again")
