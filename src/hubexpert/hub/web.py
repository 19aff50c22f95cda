"""Plain GET requests through the client's own session: bounded, paced, tried again, and never cut short unnoticed."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from huggingface_hub import constants, get_session
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.errors import HubExpertError
from hubexpert.hub.calls import TIMEOUT, call
from hubexpert.hub.pace import Pace

LONGEST_PAGE = 1 << 27  # bytes of a listing's page
Parameters = Sequence[tuple[str, str]]


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
    sent = {**build_hf_headers(), **(headers or {})}
    pace.before(url)
    with get_session().stream("GET", url, params=tuple(parameters) or None, headers=sent, timeout=TIMEOUT) as response:
        for answer in (*response.history, response):
            pace.after(answer.headers)
        hf_raise_for_status(response)
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > longest or enough(content):
                return Body(bytes(content[:longest]), _merged(response), whole=False)
    return Body(bytes(content), _merged(response), whole=True)


def get_json(url: str, about: str, *, pace: Pace, parameters: Parameters = ()) -> tuple[Any, Body]:
    """The JSON value at an address of the Hub's API, and the answer it came in.

    Raises:
        SourceError: the repository is at fault.
        HubExpertError: the Hub cannot be reached or refuses, or it is no Hub.
    """
    return call(lambda: _read_json(url, about, pace, parameters), about, rest=pace.pause)


def _read_json(url: str, about: str, pace: Pace, parameters: Parameters) -> tuple[Any, Body]:
    """One attempt of `get_json`."""
    body = read(url, longest=LONGEST_PAGE, pace=pace, parameters=parameters)
    if not body.whole:
        raise HubExpertError(f"The Hub's answer on {about} is too large to read.", fix="leave it out")
    try:
        return json.loads(body.content), body
    except RecursionError as error:
        raise HubExpertError(f"The Hub's answer on {about} cannot be read.", fix="leave it out") from error
    except ValueError as error:
        if "json" in body.headers.get("content-type", ""):  # a Hub speaks, and was cut short
            raise httpx2.ReadError("the answer ends too early") from error
        raise json.JSONDecodeError("no JSON", "", 0) from error


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
    link = re.search(r'<([^<>]*)>\s*;\s*rel="?next"?', body.headers.get("link", ""))
    # Only the query is taken: the token goes to no other place than the one it was given for.
    following = urlsplit(link[1]).query if link else ""
    return Page([entry for entry in value if isinstance(entry, dict)], following or None, _moment(body.headers))


def pages(path: str, query: Parameters | str, *, pace: Pace) -> Iterator[Page]:
    """The pages of a listing from `query` on; each is asked for when it is needed.

    Raises:
        CursorError, HubExpertError: as `page`.
    """
    following: Parameters | str | None = query
    while following is not None:
        found = page(path, following, pace=pace)
        yield found
        following = found.next


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
