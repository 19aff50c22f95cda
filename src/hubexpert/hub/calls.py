"""Calls of the client: a bounded retry, and its errors told in one sentence with a fix."""

import itertools
import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    OIDCError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import disable_progress_bars, enable_progress_bars, parse_ratelimit_headers  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.errors import HubExpertError
from hubexpert.escape import clean

T = TypeVar("T")
ATTEMPTS = 5
FIRST_WAIT = 0.5  # seconds; doubled after every attempt
LONGEST_WAIT = 300.0  # seconds; the Hub's rate limits are windows of five minutes
TIMEOUT = 30.0  # seconds without a byte, for calls which the client would let hang
LOGIN = "hf auth login  (or set HF_TOKEN)"
PASSING_FAULTS = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)
CLIENT_ERRORS = (
    httpx2.HTTPError, OSError, EntryNotFoundError, HFValidationError, OIDCError, json.JSONDecodeError,
)  # fmt: skip


class SourceError(HubExpertError):
    """One repository is at fault; others may be fine.

    Attributes:
        kind: `missing` (the repository, its revision or its file; or it is private), `gated` (it is there, and not for
            this token), `broken` (what it holds cannot be read) or `failing` (the Hub answers for it with an error
            again and again).
    """

    Kind = Literal["missing", "gated", "broken", "failing"]

    def __init__(self, message: str, *, fix: str, kind: Kind) -> None:
        super().__init__(message, fix=fix)
        self.kind = kind


def endpoint() -> str:
    """The Hub's address, without a slash at its end and without a name and password: it is shown and published."""
    return re.sub("//[^/]*@", "//", constants.ENDPOINT, count=1)


def offline() -> bool:
    """Whether the environment forbids requests."""
    return constants.is_offline_mode()


def show_progress(visible: bool) -> None:
    """Show or hide the client's own bars for downloads and uploads; without a terminal they are always hidden."""
    if visible and sys.stderr.isatty():
        enable_progress_bars()
    else:
        disable_progress_bars()


def call(function: Callable[[], T], about: str, *, rest: Callable[[float, bool], None] | None = None) -> T:
    """What `function` returns; it is tried again where the fault may pass, so it must be idempotent.

    Args:
        function: one call of the client.
        about: the repository, for messages.
        rest: sleeps so many seconds, told whether a rate limit is the cause; by default `pause`.

    Raises:
        HubExpertError: it failed for good, or `ATTEMPTS` times.
    """
    for attempt in itertools.count():
        try:
            return function()
        except CLIENT_ERRORS as error:
            cause = cause_of(error)
            wait = _wait(cause, attempt)
            if wait is None or attempt == ATTEMPTS - 1:
                raise translated(cause, about) from error
        (rest or pause)(wait, isinstance(cause, HfHubHTTPError) and cause.response.status_code == 429)
    raise AssertionError  # itertools.count never ends


def pause(seconds: float, limited: bool = False) -> None:
    """Sleep; tell on stderr when it is long enough to be noticed."""
    if seconds > 2:
        tell_of_wait(seconds, limited)
    time.sleep(seconds)


def tell_of_wait(seconds: float, limited: bool) -> None:
    """A line on stderr: how long it takes, and whether a rate limit or a fault is the cause."""
    why = "Within the Hub's rate limit: waiting" if limited else "The Hub does not answer: trying again in"
    print(f"{why} {seconds:.0f} s.", file=sys.stderr, flush=True)  # noqa: T201


def cause_of(error: BaseException) -> BaseException:
    """The error behind `error`: the client reports a failed look-up as a file that is not in the cache."""
    while isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed later: lost connections, 408, 429 and 5xx."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in (408, 429) or error.response.status_code >= 500
    return isinstance(error, PASSING_FAULTS)


def _wait(error: BaseException, attempt: int) -> float | None:
    """Seconds until the next attempt; None where another would be useless."""
    if not may_pass(error):
        return None
    told = _told_wait(error.response.headers) if isinstance(error, HfHubHTTPError) else None
    wait = told if told is not None else FIRST_WAIT * 2**attempt
    return wait if wait <= LONGEST_WAIT else None


def _told_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds the Hub asks to wait, if it does."""
    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    after = headers.get("retry-after", "").strip()
    return float(after) if after.isdecimal() else None


def translated(error: BaseException, about: str) -> HubExpertError:
    """The client's error as one sentence and a fix; never with a token."""
    if isinstance(error, GatedRepoError):
        fix = f"ask for access at {endpoint()}/{about}, then {LOGIN}"
        return SourceError(f"{about} is gated and you have no access.", fix=fix, kind="gated")
    if isinstance(error, RevisionNotFoundError):
        fix = "name a branch, a tag or a full commit that exists"
        return SourceError(f"{about} has no such revision.", fix=fix, kind="missing")
    if isinstance(error, RepositoryNotFoundError):
        fix = f"check the name; if it is private: {LOGIN}"
        return SourceError(f"{about} does not exist on {endpoint()}, or is private.", fix=fix, kind="missing")
    if isinstance(error, HfHubHTTPError):
        return _translated_status(error, about)
    if isinstance(error, HFValidationError):
        if about.startswith(("/", ".", "~")):
            message, fix = f"There is no folder at {about}.", "correct the path, or name a repository: owner/name"
            return SourceError(message, fix=fix, kind="missing")
        return SourceError(f"{about!r} is no name of a repository.", fix="write it as owner/name", kind="missing")
    if isinstance(error, OfflineModeIsEnabled):
        fix = "unset HF_HUB_OFFLINE, or run once online to fill the cache"
        return HubExpertError(f"{about} is not in the cache and offline mode is on.", fix=fix)
    if isinstance(error, OIDCError):
        fix = "grant the workflow `id-token: write`, or unset HF_OIDC_RESOURCE and set HF_TOKEN"
        return HubExpertError("The exchange of the workflow's identity for a Hub token failed.", fix=fix)
    return _translated_fault(error, about)


def trusting(repo: str | None = None) -> str:
    """How a workflow comes to its token, for the repository that it names or should name."""
    named = repo or os.environ.get("HF_OIDC_RESOURCE", "")
    return f"make this workflow a trusted publisher of {named} on the Hub, and set HF_OIDC_RESOURCE={named}"


def _translated_status(error: HfHubHTTPError, about: str) -> HubExpertError:
    status = error.response.status_code
    if error.response.url.path.endswith("/oauth/token") and status < 500:
        message = "The Hub does not take this workflow's identity for a token."
        return HubExpertError(message, fix=f"{trusting()}, or set HF_TOKEN instead")
    if isinstance(error, EntryNotFoundError):
        name = error.response.url.path.rsplit("/", 1)[-1]
        return SourceError(f"{about} has no file {name}.", fix="check the repository's files", kind="missing")
    if status == 401:
        return HubExpertError("The Hub does not accept the token.", fix=LOGIN)
    if status == 403:
        fix = f"use a token that may do this to {about}: {LOGIN}"
        return SourceError(f"The token has no permission for this on {about}.", fix=fix, kind="gated")
    if status == 429:
        wait = _told_wait(error.response.headers)
        told = f"wait {wait:.0f} s" if wait is not None else "wait five minutes"
        return HubExpertError("The Hub's rate limit is used up.", fix=f"{told}; logged in the limit is higher: {LOGIN}")
    if status >= 500:
        fix = f"try again later, or check HF_ENDPOINT (now {endpoint()})"
        return SourceError(f"The Hub keeps answering with error {status} for {about}.", fix=fix, kind="failing")
    detail = clean(error.server_message or "no reason given", longest=200)
    fix = f"check the name, and HF_ENDPOINT (now {endpoint()})"
    return SourceError(f"The Hub refuses the request for {about} ({status}: {detail}).", fix=fix, kind="failing")


def _translated_fault(error: BaseException, about: str) -> HubExpertError:
    if isinstance(error, httpx2.TooManyRedirects | httpx2.DecodingError):
        message = f"What the Hub answers for {about} cannot be read ({type(error).__name__})."
        return SourceError(message, fix="leave it out", kind="failing")
    if isinstance(error, httpx2.UnsupportedProtocol):
        return HubExpertError(f"HF_ENDPOINT is no address of a Hub: {endpoint()}.", fix="begin it with https://")
    if isinstance(error, httpx2.HTTPError):
        fix = "check the network and HF_ENDPOINT; HF_HUB_OFFLINE=1 works from the cache alone"
        return HubExpertError(f"The Hub at {endpoint()} cannot be reached ({type(error).__name__}).", fix=fix)
    if isinstance(error, EntryNotFoundError):
        return SourceError(f"{about} is not in the cache.", fix="run once online to fill the cache", kind="missing")
    if isinstance(error, json.JSONDecodeError):
        return HubExpertError(f"What answers at {endpoint()} is no Hub.", fix="check HF_ENDPOINT")
    if isinstance(error, ConnectionError | TimeoutError):  # Python's own: what the client's Xet raises
        fix = "check the network and try again; HF_HUB_DISABLE_XET=1 moves large files without Xet"
        return HubExpertError(f"The connection failed for {about} ({clean(str(error), longest=200)}).", fix=fix)
    if isinstance(error, OSError):
        fix = "make room, or set HF_HOME to a folder you can write"
        return HubExpertError(f"The Hub's cache could not be used for {about}: {error.strerror or error}.", fix=fix)
    return HubExpertError(
        f"The Hub's client failed on {about} ({type(error).__name__}).", fix="pip install -U hubexpert"
    )
