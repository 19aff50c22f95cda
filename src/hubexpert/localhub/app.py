"""The application: routes, and what surrounds every request."""

import secrets
from collections.abc import Sequence

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
    routes_lfs,
    routes_listing,
    routes_refs,
    routes_repos,
)
from hubexpert.localhub.access import access
from hubexpert.localhub.counters import Downloads, Requests
from hubexpert.localhub.records import Refusal, Token
from hubexpert.localhub.signing import Signer
from hubexpert.localhub.store import Store
from hubexpert.localhub.web import Hub, refused

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def make_app(store: Store, tokens: Sequence[Token], *, loopback: bool) -> Starlette:
    """The application that serves `store`; `loopback` tells that only this machine can reach it."""
    app = Starlette(
        routes=[
            *routes_checks.ROUTES,
            *routes_repos.ROUTES,
            *routes_lfs.ROUTES,
            *routes_files.ROUTES,
            *routes_commits.ROUTES,
            *routes_refs.ROUTES,
            *routes_discussions.ROUTES,
            *routes_listing.ROUTES,
            *pages.ROUTES,
        ],
        middleware=[Middleware(_Surroundings, loopback=loopback)],
        exception_handlers={Refusal: _refused, HTTPException: _http_refused, ClientDisconnect: _gone},
    )
    app.state.hub = Hub(store, access(tokens), Signer(secrets.token_bytes(32)), Downloads(), loopback)
    return app


class _Surroundings:
    """Checks the host name, hands the path on as it was sent, and counts every request."""

    def __init__(self, app: ASGIApp, loopback: bool) -> None:
        self._app = app
        self._loopback = loopback
        self._requests = Requests()

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

        if self._loopback and not _is_loopback_name(Headers(scope=scope).get("host", "")):
            # A web page elsewhere could otherwise reach this server by giving its own name our address.
            response = refused(Refusal(421, "This Hub answers only to the names of this machine."))
            await response(scope, receive, send_counted)
            return
        # Routes match the path as it was sent: in `tree/feature%2Fx/a`, the branch is `feature/x`.
        await self._app({**scope, "path": path}, receive, send_counted)


def _is_loopback_name(host: str) -> bool:
    name = host if host.endswith("]") else host.rpartition(":")[0] if ":" in host else host
    return name.lower() in _LOOPBACK_NAMES


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
