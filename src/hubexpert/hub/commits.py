"""One commit on a branch: never over someone else's change, and after a lost answer never a second one."""

from pathlib import Path
from urllib.parse import quote

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError

from hubexpert.errors import HubExpertError
from hubexpert.escape import clean
from hubexpert.hub.calls import ATTEMPTS, CLIENT_ERRORS, FIRST_WAIT, cause_of, endpoint, may_pass, pause, translated
from hubexpert.hub.changes import FileChange, changes, unchanged
from hubexpert.hub.refs import head
from hubexpert.hub.rights import WRITE, refused


def send(
    api: HfApi, repo: str, folder: Path, found: tuple[FileChange, ...], *, message: str, parent: str, branch: str | None
) -> CommitInfo:
    """Ask for the commit once: on that branch, or with None as a pull request.

    Raises:
        HubExpertError: the Hub refuses the card's metadata.
        CLIENT_ERRORS: what the client raises.
    """
    # made anew each time: the client marks the ones it has used
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationDelete(change.file)
        if change.change == "deleted"
        else CommitOperationAdd(change.file, str(folder / change.file))
        for change in found
        if change.change != "same"
    ]
    try:
        return api.create_commit(
            repo,
            operations,
            commit_message=message,
            revision=branch,
            parent_commit=parent,
            create_pr=True if branch is None else None,
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


def commit(
    api: HfApi, repo: str, folder: Path, found: tuple[FileChange, ...], *, message: str, parent: str, branch: str
) -> tuple[str, bool]:
    """The commit that holds the folder, and whether it is ours; after a lost answer the branch tells if it was made.

    Raises:
        HubExpertError: someone else's commit has moved the branch, or the Hub refuses or cannot be reached.
    """
    lost: BaseException | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(FIRST_WAIT * 2 ** (attempt - 1))
        try:
            return send(api, repo, folder, found, message=message, parent=parent, branch=branch).oid, True
        except CLIENT_ERRORS as error:
            cause = cause_of(error)
            moved = isinstance(cause, HfHubHTTPError) and cause.response.status_code == 412
            if not moved and not may_pass(cause):
                raise refused(cause, repo, WRITE) from error
            lost = lost if moved else cause
        present = head(api, repo, branch)
        if present != parent:
            if not unchanged(changes(api, repo, folder, present)):
                raise _moved(repo, branch)
            return present, lost is not None
    raise translated(lost, repo) if lost else _stuck(repo, branch)


def _moved(repo: str, branch: str) -> HubExpertError:
    return HubExpertError(
        f"Someone else's commit has moved the {branch} branch of {repo} meanwhile.",
        fix=f"look at {endpoint()}/{repo}/commits/{quote(branch, safe='')}, "
        "then run `hubexpert publish` again, or with --create-pr",
    )


def _stuck(repo: str, branch: str) -> HubExpertError:
    return HubExpertError(
        f"The Hub refuses the commit because the {branch} branch of {repo} has moved, and shows it where it was.",
        fix="run `hubexpert publish` again in a minute, or with --create-pr",
    )
