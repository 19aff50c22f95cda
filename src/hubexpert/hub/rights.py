"""What a token may do: whether there is one, and what helps where it may not do what was asked."""

import os
from collections.abc import Callable
from typing import TypeVar

from huggingface_hub import get_token
from huggingface_hub.errors import HfHubHTTPError

from hubexpert.errors import HubExpertError
from hubexpert.hub.calls import LOGIN, SourceError, call, cause_of, translated, trusting

T = TypeVar("T")
CREATE, WRITE, PROPOSE = "create", "write", "propose"


def token() -> str | None:
    """The token the client sends; a secret, for comparing alone.

    Raises:
        HubExpertError: a workflow's identity should be exchanged for one, and that failed.
    """
    return call(get_token, "the token")


def require_token(what: str = "Publishing") -> str:
    """The token that the client sends.

    Args:
        what: needs it, as the message tells.

    Raises:
        HubExpertError: there is none.
    """
    found = token()
    if not found:
        raise HubExpertError(f"{what} needs a Hub token and there is none.", fix=LOGIN)
    return found


def writing(function: Callable[[], T], repo: str, right: str) -> T:
    """As `call`, for what needs a right; told in its words where the token lacks it."""
    try:
        return call(function, repo)
    except HubExpertError as error:
        cause = error.__cause__
        raise refused(cause_of(cause), repo, right) if cause else error from cause


def refused(error: BaseException, repo: str, right: str) -> HubExpertError:
    """The client's error as one sentence and a fix; where the token lacks a right, the fix says what has it.

    Args:
        error: what the client raised.
        repo: `owner/name`.
        right: what was asked for: `CREATE` a repository, `WRITE` to it, `PROPOSE` a pull request.
    """
    told = translated(error, repo)
    if not isinstance(error, HfHubHTTPError) or error.response.status_code != 403:
        return told
    fixes = {
        CREATE: f"create {repo} once by hand (a workflow's own identity never may), or use a token that may: {LOGIN}",
        WRITE: f"add --create-pr, for which reading suffices, or use a token that may write to {repo}: {LOGIN}",
        PROPOSE: f"use a token that may open pull requests on {repo}: {LOGIN}",
    }
    fix = f"{trusting(repo)}; or {fixes[right]}" if os.environ.get("HF_OIDC_RESOURCE") else fixes[right]
    return SourceError(told.message, fix=fix, kind="missing")
