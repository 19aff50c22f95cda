"""Plain GET requests through the client's own session: bounded, paced, tried again, and never cut short unnoticed."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx2
from huggingface_hub import constants, get_session
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.errors import HubExpertError
from hubexpert.hub.calls import TIMEOUT, SourceError, call
from hubexpert.hub.pace import Pace

LONGEST = 1 << 25  # bytes of an answer of the API
DEADLINE = 300.0  # seconds for one answer
DIGITS = 18  # of an integer; longer ones mean nothing here, and take long to read
EMPTY = 3  # pages without an entry that may follow one another
Parameters = Sequence[tuple[str, str]]


class TooLargeError(SourceError):
    """An answer is larger than what is read of one."""


class CursorError(Exception):
    """The Hub no longer knows the place in a listing; it must be read from the beginning."""


@dataclass(frozen=True)
class Body:
    """An answer's content, its headers by their names in lower case, and whether all of it was read."""

    content: bytes
    headers: Mapping[str, str]
    whole: bool


@dataclass(frozen=True)
class Page:
    """One page of a listing.

    Attributes:
        entries: what it lists.
        next: the query of the next page; None on the last one.
        asked: when the Hub answered, by its own clock, in seconds since 1970; None where it does not tell.
    """

    entries: list[dict[str, Any]]
    next: str | None
    asked: float | None


def read(
    url: str,
    *,
    longest: int,
    pace: Pace,
    parameters: Parameters = (),
    headers: Mapping[str, str] | None = None,
    enough: Callable[[bytearray], bool] = lambda _: False,
) -> Body:
    """Up to `longest` bytes of what lies at `url`, in one attempt: to be given to `call`.

    Args:
        url: an address of the Hub.
        longest: what is beyond stays on the Hub, whatever the size is said to be.
        pace: of the work this request belongs to.
        parameters: of the query.
        headers: further ones of the request.
        enough: reading ends where this holds of what was read.
    """
    content = bytearray()
    until = time.monotonic() + DEADLINE
    sent = {**build_hf_headers(), **(headers or {})}
    pace.before(url)
    with get_session().stream("GET", url, params=tuple(parameters) or None, headers=sent, timeout=TIMEOUT) as response:
        for answer in (*response.history, response):
            pace.after(answer.headers)
        _raise_for_status(response)
        for chunk in response.iter_bytes():
            content += chunk
            if time.monotonic() > until:
                raise httpx2.ReadTimeout(f"not within {DEADLINE:.0f} s")
            if len(content) > longest or enough(content):
                return Body(bytes(content[:longest]), _merged(response), whole=False)
    return Body(bytes(content), _merged(response), whole=True)


def get_json(url: str, about: str, *, pace: Pace, parameters: Parameters = ()) -> tuple[Any, Body]:
    """The JSON value at an address of the Hub's API, and the answer it came in.

    Raises:
        SourceError: the repository is at fault, or what is said of it is too large or too deep to read.
        HubExpertError: the Hub cannot be reached or refuses, or it is no Hub.
    """
    return call(lambda: _read_json(url, about, pace, parameters), about, rest=pace.pause)


def _raise_for_status(response: httpx2.Response) -> None:
    """As the client does it, which stumbles over an error whose body is another JSON value than it expects."""
    try:
        hf_raise_for_status(response)
    except (AttributeError, KeyError, TypeError) as error:
        raise HfHubHTTPError(f"{response.status_code}", response=response) from error


def _read_json(url: str, about: str, pace: Pace, parameters: Parameters) -> tuple[Any, Body]:
    """One attempt of `get_json`."""
    body = read(url, longest=LONGEST, pace=pace, parameters=parameters)
    if not body.whole:
        message = f"The Hub's answer on {about} is too large to read."
        raise TooLargeError(message, fix="leave it out", kind="broken")
    try:
        return json.loads(body.content, parse_int=_integer), body
    except RecursionError as error:
        message = f"The Hub's answer on {about} cannot be read."
        raise SourceError(message, fix="leave it out", kind="broken") from error
    except ValueError as error:
        if "json" in body.headers.get("content-type", ""):  # a Hub speaks, and was cut short
            raise httpx2.ReadError("the answer ends too early") from error
        raise json.JSONDecodeError("no JSON", "", 0) from error


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= DIGITS else 0


def page(path: str, query: Parameters | str, *, pace: Pace, about: str = "the listing") -> Page:
    """One page of a listing.

    Args:
        path: of the API: `models` or `datasets`.
        query: the listing's parameters, or `Page.next` of the page before.
        pace: of the work this request belongs to.
        about: what it is, for messages.

    Raises:
        CursorError: the page follows another one whose place the Hub no longer knows.
        HubExpertError: the Hub cannot be reached or refuses.
    """
    follows = isinstance(query, str)
    parameters: Parameters = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else query
    try:
        value, body = get_json(f"{constants.ENDPOINT}/api/{path}", about, pace=pace, parameters=parameters)
    except HubExpertError as error:
        cause = error.__cause__
        if follows and isinstance(cause, HfHubHTTPError) and cause.response.status_code in (400, 404, 410, 416):
            raise CursorError from error
        raise
    if not isinstance(value, list):
        raise HubExpertError(f"What answers at {constants.ENDPOINT} is no Hub.", fix="check HF_ENDPOINT")
    return Page([entry for entry in value if isinstance(entry, dict)], _following(body), _moment(body.headers))


def _following(body: Body) -> str | None:
    """The query of the next page. Only the query: the token goes to no other place than the one it was given for."""
    link = re.search(r'<([^<>]*)>\s*;\s*rel="?next"?', body.headers.get("link", ""))
    return link[1].partition("?")[2].partition("#")[0] or None if link else None


def pages(path: str, query: Parameters, *, resume: str | None = None, pace: Pace) -> Iterator[Page]:
    """The pages of a listing; each is asked for when it is needed.

    A page that is too large to read is asked for again in smaller ones.

    Args:
        path: of the API: `models` or `datasets`.
        query: the listing's parameters, among them the `limit` of a page.
        resume: `Page.next` of an earlier page, to go on from there.
        pace: of the work the requests belong to.

    Raises:
        CursorError: the Hub no longer knows where to go on, or leads in a circle.
        HubExpertError: the Hub cannot be reached or refuses.
    """
    following: Parameters | str | None = resume or query
    before: set[str] = set()
    empty = 0
    while following is not None:
        try:
            found = page(path, following, pace=pace)
        except TooLargeError:
            smaller = _smaller(following)
            if smaller is None:
                raise
            following = smaller
            continue
        empty = 0 if found.entries else empty + 1
        if found.next in before or empty > EMPTY:
            raise CursorError
        if found.next is not None:
            before.add(found.next)
        yield found
        following = found.next


def _smaller(query: Parameters | str) -> Parameters | str | None:
    """The same query for a tenth of the entries; None where it asks for one."""
    given = parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else query
    limit = next((int(value) for name, value in given if name == "limit" and value.isdecimal()), 1)
    if limit <= 1:
        return None
    changed = [(name, str(max(limit // 10, 1)) if name == "limit" else value) for name, value in given]
    return urlencode(changed) if isinstance(query, str) else changed


def _merged(response: httpx2.Response) -> dict[str, str]:
    """The headers of an answer and of the redirects before it: the Hub tells of a file in the redirect to it."""
    told: dict[str, str] = {}
    for answer in (*response.history, response):
        told |= {name.lower(): value for name, value in answer.headers.items()}
    return told


def _moment(headers: Mapping[str, str]) -> float | None:
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return None
