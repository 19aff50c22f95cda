"""The application: routes, and what surrounds every request."""

import logging
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence

from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubexpert.localhub import (
    pages,
    routes_checks,
    routes_commits,
    routes_discussions,
    routes_files,
    routes_jobs,
    routes_lfs,
    routes_listing,
    routes_oauth,
    routes_refs,
    routes_repos,
)
from hubexpert.localhub.access import access
from hubexpert.localhub.downloads import Downloads
from hubexpert.localhub.hosts import host_name, is_loopback
from hubexpert.localhub.issuers import Issuers
from hubexpert.localhub.jobs import Jobs
from hubexpert.localhub.publishers import Trust
from hubexpert.localhub.records import Refusal, Token
from hubexpert.localhub.signing import Signer
from hubexpert.localhub.store import Store
from hubexpert.localhub.web import Hub, refused

_SIGNED_FOR = 3600  # seconds
_UPLOADS = 16  # at a time

_WINDOW = 300  # seconds
# Far above what a client can send in a window: nothing is limited here, and careful clients need not slow down.
_QUOTAS = {"api": 100_000, "resolvers": 500_000}


def make_app(
    store: Store, tokens: Sequence[Token], downloads: Downloads, host: str, jobs: Jobs | None, trust: Trust
) -> Starlette:
    """The application that serves `store` on `host`, counts `downloads`, and runs `jobs` where they are given."""
    app = Starlette(
        routes=[
            *routes_checks.ROUTES,
            *routes_oauth.ROUTES,
            *routes_repos.ROUTES,
            *routes_jobs.ROUTES,
            *routes_lfs.ROUTES,
            *routes_files.ROUTES,
            *routes_commits.ROUTES,
            *routes_refs.ROUTES,
            *routes_discussions.ROUTES,
            *routes_listing.ROUTES,
            *pages.ROUTES,
        ],
        middleware=[Middleware(_Surroundings, loopback=is_loopback(host))],
        exception_handlers={
            Refusal: _refused,
            HTTPException: _http_refused,
            ClientDisconnect: _gone,
            sqlite3.OperationalError: _store_failed,
            OSError: _store_failed,
        },
    )
    app.state.hub = Hub(
        store=store,
        access=access(tokens),
        signer=Signer(secrets.token_bytes(32), _SIGNED_FOR),
        downloads=downloads,
        uploads=CapacityLimiter(_UPLOADS),
        jobs=jobs,
        trust=trust,
        issuers=Issuers(),
        two_names=host in ("127.0.0.1", "localhost"),
    )
    return app


class _Surroundings:
    """Checks the host name, hands the path on as it was sent, and counts every request."""

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        self._app = app
        self._loopback = loopback
        self._requests = _Requests()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["raw_path"].decode("ascii", "replace")
        client = scope["client"][0] if scope.get("client") else ""
        counted = self._requests.headers(client, "resolvers" if "/resolve/" in path else "api")

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(counted)
            await send(message)

        refusal = _host_refusal(Headers(scope=scope).get("host", ""), self._loopback)
        if refusal is not None:
            await refused(refusal)(scope, receive, send_counted)
            return
        # Routes match the path as it was sent: in `tree/feature%2Fx/a`, the branch is `feature/x`.
        await self._app({**scope, "path": path}, receive, send_counted)


class _Requests:
    """How many requests each client sent in the current window."""

    def __init__(self) -> None:
        self._window = 0
        self._sent: Counter[tuple[str, str]] = Counter()

    def headers(self, client: str, bucket: str) -> dict[str, str]:
        """Count a request; the two headers that tell what is left of the quota, and for how many seconds."""
        now = int(time.time())
        if now // _WINDOW != self._window:
            self._window = now // _WINDOW
            self._sent.clear()
        self._sent[client, bucket] += 1
        quota = _QUOTAS[bucket]
        left = max(0, quota - self._sent[client, bucket])
        return {
            "RateLimit": f'"{bucket}";r={left};t={_WINDOW - now % _WINDOW}',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={quota};w={_WINDOW}',
        }


def _host_refusal(header: str, loopback: bool) -> Refusal | None:
    """Why a request with this `Host` header is turned down, if it is."""
    name = host_name(header)
    if name is None:
        return Refusal(400, "The Host header is malformed.")
    if loopback and not is_loopback(name):
        # A web page elsewhere could otherwise reach this server by giving its own name our address.
        return Refusal(421, "This Hub answers only to the names of this machine.")
    return None


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - that is what it is registered for
    return refused(error)


async def _http_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - that is what it is registered for
    path = request.url.path
    # No route matches ids without a namespace ("gpt2"): to clients, a repository that is not there.
    named = path.startswith(("/api/models/", "/api/datasets/")) or "/resolve/" in path
    code = "RepoNotFound" if error.status_code == 404 and named else ""
    return refused(Refusal(error.status_code, f"{error.detail}: {path}", code=code))


async def _gone(request: Request, error: Exception) -> Response:
    """The client went away in the middle of its request: nobody reads this, and nothing was kept."""
    return Response(status_code=400)


async def _store_failed(request: Request, error: Exception) -> Response:
    """The disk is full, or the index is locked: clients may try again. Who runs the server is told what it was."""
    logging.getLogger(__name__).error("%s %s: %s", request.method, request.url.path, error)
    return refused(Refusal(503, "The Hub cannot use its store at the moment."))
