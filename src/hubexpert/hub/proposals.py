"""One pull request with the folder's content: never a second one of the same."""

from pathlib import Path

from huggingface_hub import HfApi

from hubexpert.hub.calls import (
    ATTEMPTS,
    CLIENT_ERRORS,
    FIRST_WAIT,
    call,
    cause_of,
    endpoint,
    may_pass,
    pause,
    translated,
)
from hubexpert.hub.changes import FileChange, changes, unchanged
from hubexpert.hub.commits import send
from hubexpert.hub.refs import head
from hubexpert.hub.rights import PROPOSE, refused
from hubexpert.records import Published

COMPARED = 5  # open pull requests of the same title that are compared with the folder


def propose(
    api: HfApi, repo: str, folder: Path, found: tuple[FileChange, ...], *, message: str, parent: str
) -> Published:
    """One pull request from that commit. An open one with this title and content is taken for it.

    So a second publish opens no second one, and after a lost answer the open ones tell whether it was made.
    """
    present = _open_already(api, repo, folder, message)
    if present:
        return present
    lost: BaseException = ConnectionError()
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(FIRST_WAIT * 2 ** (attempt - 1))
        try:
            made = send(api, repo, folder, found, message=message, parent=parent, branch=None)
            return Published(repo=repo, url=made.pr_url or f"{endpoint()}/{repo}", commit=made.oid, changed=True)
        except CLIENT_ERRORS as error:
            lost = cause_of(error)
            if not may_pass(lost):
                raise refused(lost, repo, PROPOSE) from error
        present = _open_already(api, repo, folder, message)
        if present:
            return present.model_copy(update={"changed": True})
    raise translated(lost, repo)


def _open_already(api: HfApi, repo: str, folder: Path, title: str) -> Published | None:
    """The newest open pull request with that title which holds what the folder holds."""
    requests = call(
        lambda: list(api.get_repo_discussions(repo, discussion_type="pull_request", discussion_status="open")), repo
    )
    for number in sorted((request.num for request in requests if request.title == title), reverse=True)[:COMPARED]:
        commit = head(api, repo, f"refs/pr/{number}")
        if unchanged(changes(api, repo, folder, commit)):
            url = f"{endpoint()}/{repo}/discussions/{number}"
            return Published(repo=repo, url=url, commit=commit, changed=False)
    return None
