"""Create, change, move and delete repositories."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hubexpert.localhub import repos
from hubexpert.localhub.bodies import json_body, text_member
from hubexpert.localhub.records import Refusal, Repo, RepoType
from hubexpert.localhub.web import KINDS, Hub, caller_of, hub_of, repo_of, repo_url


async def create_repo(request: Request) -> Response:
    """A new repository; 409 with its address when it exists."""
    hub, asked = hub_of(request), await json_body(request)
    repo_type, repo_id = _named(request, asked)
    url = {"url": repo_url(request, repo_type, repo_id), "name": repo_id}
    author = hub.access.owner(caller_of(request), repo_id.split("/")[0])

    def create() -> None:
        with hub.store.writing() as db:
            repos.insert(db, hub.store.blobs, repo_type, repo_id, private=_private(asked) or False, author=author)

    try:
        await run_in_threadpool(create)
    except Refusal as refusal:
        raise Refusal(refusal.status, refusal.message, code=refusal.code, body=url) from refusal
    return JSONResponse(url)


async def delete_repo(request: Request) -> Response:
    """Remove a repository."""
    hub, asked = hub_of(request), await json_body(request)
    repo_type, repo_id = _named(request, asked)

    def delete() -> None:
        with hub.store.writing() as db:
            repos.delete(db, _owned(request, hub, repos.find(db, repo_type, repo_id)))

    await run_in_threadpool(delete)
    return Response()


async def move_repo(request: Request) -> Response:
    """Give a repository another id."""
    hub, asked = hub_of(request), await json_body(request)
    repo_type = _type(asked)
    old, new = text_member(asked, "fromRepo"), text_member(asked, "toRepo")

    def move() -> None:
        with hub.store.writing() as db:
            repo = _owned(request, hub, repos.find(db, repo_type, old))
            hub.access.owner(caller_of(request), new.split("/")[0])
            repos.move(db, repo, new)

    await run_in_threadpool(move)
    return JSONResponse({"url": repo_url(request, repo_type, new)})


async def change_settings(request: Request) -> Response:
    """Make a repository private, public, gated or open."""
    hub, asked = hub_of(request), await json_body(request)
    gated = asked.get("gated")
    if gated not in (None, False, "auto", "manual"):
        raise Refusal(400, "'gated' must be false, 'auto' or 'manual'.")

    def change() -> None:
        with hub.store.writing() as db:
            repo = _owned(request, hub, repo_of(request, db))
            repos.configure(db, repo, private=_private(asked), gated=None if gated is None else gated or "")

    await run_in_threadpool(change)
    return JSONResponse({"private": _private(asked), "gated": gated})


def _named(request: Request, asked: dict[str, Any]) -> tuple[RepoType, str]:
    """The type and id in a request to create or delete; without an organisation, the namespace is the user's."""
    caller = caller_of(request)
    namespace = text_member(asked, "organization", "") or hub_of(request).access.user(caller)
    return _type(asked), f"{namespace}/{text_member(asked, 'name')}"


def _type(asked: dict[str, Any]) -> RepoType:
    kind = text_member(asked, "type", "model")
    if f"{kind}s" not in KINDS:
        raise Refusal(400, f"This Hub has models and datasets, no {kind}s.")
    return KINDS[f"{kind}s"]


def _private(asked: dict[str, Any]) -> bool | None:
    if "visibility" in asked:
        if asked["visibility"] not in ("public", "private"):
            raise Refusal(400, "'visibility' must be 'public' or 'private'.")
        return bool(asked["visibility"] == "private")
    return asked["private"] if isinstance(asked.get("private"), bool) else None


def _owned(request: Request, hub: Hub, repo: Repo | None) -> Repo:
    """`repo`, when the sender may change it."""
    caller = caller_of(request)
    known = hub.access.readable(caller, repo)
    hub.access.owner(caller, known.author)
    return known


ROUTES = [
    Route("/api/repos/create", create_repo, methods=["POST"]),
    Route("/api/repos/delete", delete_repo, methods=["DELETE"]),
    Route("/api/repos/move", move_repo, methods=["POST"]),
    Route("/api/{kind}/{namespace}/{name}/settings", change_settings, methods=["PUT"]),
]
