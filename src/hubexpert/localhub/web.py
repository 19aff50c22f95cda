"""What all routes share: the Hub behind a request, the repository it names, its address, and how a refusal is sent."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hubexpert.localhub.access import Access, Caller
from hubexpert.localhub.downloads import Downloads
from hubexpert.localhub.issuers import Issuers
from hubexpert.localhub.jobs import Jobs
from hubexpert.localhub.publishers import Trust
from hubexpert.localhub.records import Refusal, Repo, RepoType
from hubexpert.localhub.repos import find
from hubexpert.localhub.signing import Signer
from hubexpert.localhub.store import Store

KINDS: Mapping[str, RepoType] = {"models": "model", "datasets": "dataset"}


@dataclass(frozen=True)
class Hub:
    """Everything a request needs.

    `uploads` bounds the threads that wait for uploads; `jobs` is None where none are run; `two_names` tells that the
    server is reached by two loopback names and by nothing else.
    """

    store: Store
    access: Access
    signer: Signer
    downloads: Downloads
    uploads: CapacityLimiter
    jobs: Jobs | None
    trust: Trust
    issuers: Issuers
    two_names: bool


def hub_of(request: Request) -> Hub:
    """The Hub that answers a request."""
    hub: Hub = request.app.state.hub
    return hub


def caller_of(request: Request) -> Caller:
    """Who sends a request.

    Raises:
        Refusal: 401 on a token that is not known.
    """
    return hub_of(request).access.caller(request.headers.get("authorization"))


def repo_type_of(request: Request) -> RepoType:
    """The type of the repository a request names.

    Raises:
        Refusal: 404 on a type that is not served.
    """
    # Addresses outside the API begin with the type for datasets only.
    outside = "datasets" if request.url.path.startswith("/datasets/") else "models"
    kind = request.path_params.get("kind", outside)
    if kind not in KINDS:
        raise Refusal(404, f"This Hub has models and datasets, no {kind}.")
    return KINDS[kind]


def repo_of(request: Request, db: sqlite3.Connection) -> Repo:
    """The repository a request names, when its sender may know of it.

    Raises:
        Refusal: `RepoNotFound`.
    """
    repo_id = f"{parameter(request, 'namespace')}/{parameter(request, 'name')}"
    repo = find(db, repo_type_of(request), repo_id)
    return hub_of(request).access.readable(caller_of(request), repo)


def parameter(request: Request, name: str) -> str:
    """A part of the path, decoded: routes match the path as it was sent, where `%2F` is no separator."""
    return unquote(str(request.path_params[name]))


def revision_and_path(rest: str) -> tuple[str, str]:
    """The revision and the file path at the end of an address; `refs/pr/1` may be written with plain slashes."""
    segments = rest.split("/")
    taken = 3 if segments[0] == "refs" and len(segments) >= 3 else 1
    return unquote("/".join(segments[:taken])), unquote("/".join(segments[taken:]))


def origin(request: Request) -> str:
    """The scheme and host under which the sender reached this server."""
    return str(request.base_url).rstrip("/")


def repo_url(request: Request, repo_type: RepoType, repo_id: str) -> str:
    """The address of a repository's page."""
    return f"{origin(request)}/{'datasets/' if repo_type == 'dataset' else ''}{repo_id}"


def is_true(value: str | None) -> bool:
    """Whether a query parameter is set; clients write `True`, `true` and `1`."""
    return value is not None and value.lower() in ("true", "1")


def values(request: Request, name: str) -> list[str]:
    """All values of a query parameter that may be repeated, with or without brackets in its name."""
    query = request.query_params
    return [*query.getlist(name), *query.getlist(f"{name}[]")]


def integer(request: Request, name: str, default: int) -> int:
    """A query parameter that counts something.

    Raises:
        Refusal: 400 when it is no natural number.
    """
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or len(text) > 9:
        raise Refusal(400, f"{name!r} must be a natural number.")
    return int(text)


def next_link(request: Request, **changed: str | int) -> dict[str, str]:
    """The header that leads to the next page: the same query with some parameters changed."""
    return {"Link": f'<{request.url.include_query_params(**changed)}>; rel="next"'}


def refused(refusal: Refusal) -> Response:
    """A refusal as the client reads it."""
    # A header holds one line of printable ASCII; the body carries the message as it is.
    ascii_text = refusal.message.encode("ascii", "replace").decode()
    message = " ".join("".join(c if c.isprintable() else " " for c in ascii_text).split())
    headers = {"X-Error-Message": message} | ({"X-Error-Code": refusal.code} if refusal.code else {})
    return JSONResponse({"error": refusal.message} | refusal.body, refusal.status, headers)
