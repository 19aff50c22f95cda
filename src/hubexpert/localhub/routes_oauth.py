"""A workflow's identity for a token that lasts an hour (OAuth 2.0 Token Exchange, RFC 8693), as on the Hub."""

import logging
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hubexpert.localhub.access import Caller
from hubexpert.localhub.bodies import json_body
from hubexpert.localhub.grants import LIFETIME
from hubexpert.localhub.issuers import NotVouchedFor, issuer_of
from hubexpert.localhub.publishers import Publisher
from hubexpert.localhub.records import Refusal, RepoType
from hubexpert.localhub.repos import find
from hubexpert.localhub.web import Hub, hub_of

_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_IDENTITY = "urn:ietf:params:oauth:token-type:id_token"
_ACCESS = "urn:ietf:params:oauth:token-type:access_token"
WORKFLOW = "[OIDC]"  # who commits then; no user can have this name


async def exchange(request: Request) -> Response:
    """A token for the resource, when one of its publishers is the workflow that the identity belongs to.

    As on the Hub, the answer does not tell what was wrong with an identity. Who runs the server is told.
    """
    hub, asked = hub_of(request), await json_body(request)
    if asked.get("grant_type") != _GRANT:
        raise _refusal("unsupported_grant_type", "Only the exchange of an identity is supported.")
    identity, resource = asked.get("subject_token"), asked.get("resource")
    if asked.get("subject_token_type") != _IDENTITY or not isinstance(identity, str) or not isinstance(resource, str):
        raise _refusal("invalid_request", "'subject_token' (an ID token) and 'resource' are needed.")
    publisher = await _publisher(hub, identity, resource)
    if publisher is None or not await run_in_threadpool(_exists, hub, publisher):
        raise _refusal("invalid_grant", "No trusted publisher of this resource matches this identity.")
    answer = {"access_token": hub.access.grants.give(_caller(publisher)), "token_type": "bearer"}
    return JSONResponse(answer | {"expires_in": LIFETIME, "issued_token_type": _ACCESS})


async def _publisher(hub: Hub, identity: str, resource: str) -> Publisher | None:
    """The publisher of the resource that the identity belongs to."""
    issuer = issuer_of(identity)
    known = [each for each in hub.trust.publishers if each.resource == resource and each.issuer == issuer]
    if not known:
        _log("no publisher of %.200r is vouched for by %.200r", resource, issuer)
        return None
    try:
        claims = await hub.issuers.claims(identity, issuer, hub.trust.audience)
    except NotVouchedFor as error:
        _log("an identity for %s is refused: %s", resource, error)
        return None
    others = [_other(each, claims) for each in known]
    for each, other in zip(known, others, strict=True):
        if not other:
            return each
    _log("an identity for %s is of another workflow: %s", resource, "; ".join(others))
    return None


def _other(publisher: Publisher, claims: Mapping[str, Any]) -> str:
    """In what the claims differ from those of the publisher; empty where they do not."""
    pairs = ((name, claims.get(name), text) for name, text in publisher.claims.items())
    return ", ".join(f"{name} is {found!r}, not {text!r}" for name, found, text in pairs if found != text)


def _exists(hub: Hub, publisher: Publisher) -> bool:
    if publisher.is_user:
        return publisher.resource.lower() in hub.access.users
    kind, repo_id = _place(publisher.resource)
    with hub.store.reading() as db:
        return find(db, kind, repo_id) is not None


def _place(resource: str) -> tuple[RepoType, str]:
    return ("dataset" if resource.startswith("datasets/") else "model"), resource.removeprefix("datasets/")


def _caller(publisher: Publisher) -> Caller:
    if publisher.is_user:
        return Caller(publisher.resource, "gated")
    return Caller(WORKFLOW, "read" if publisher.read_only else "write", only=_place(publisher.resource))


def _refusal(error: str, message: str) -> Refusal:
    return Refusal(400, message, body={"error": error, "error_description": message})


def _log(message: str, *values: object) -> None:
    logging.getLogger(__name__).warning(message, *values)


ROUTES = [Route("/oauth/token", exchange, methods=["POST"])]
