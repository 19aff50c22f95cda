"""Branches and tags."""

import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hubexpert.localhub.bodies import json_body, text_member
from hubexpert.localhub.commits import resolve
from hubexpert.localhub.names import is_ref_name
from hubexpert.localhub.records import MAIN, Refusal, Repo
from hubexpert.localhub.web import caller_of, hub_of, is_true, parameter, repo_of

_HEADS, _TAGS, _PULLS = "refs/heads/", "refs/tags/", "refs/pr/"


def list_refs(request: Request) -> Response:
    """All branches and tags, and (`include_prs=1`) the refs of pull requests."""
    with hub_of(request).store.reading() as db:
        repo = repo_of(request, db)
        rows = db.execute("SELECT name, oid FROM refs WHERE repo = ? ORDER BY name", (repo.key,)).fetchall()

    def under(prefix: str) -> list[dict[str, Any]]:
        return [
            {"name": row["name"].removeprefix(prefix), "ref": row["name"], "targetCommit": row["oid"]}
            for row in rows
            if row["name"].startswith(prefix)
        ]

    answer = {"branches": under(_HEADS), "converts": [], "tags": under(_TAGS)}
    if is_true(request.query_params.get("include_prs")):
        answer["pullRequests"] = under(_PULLS)
    return JSONResponse(answer)


async def create_branch(request: Request) -> Response:
    """A branch that starts at `startingPoint`, by default the main branch."""
    asked = await json_body(request)
    name, start = parameter(request, "ref"), text_member(asked, "startingPoint", "main")
    return await _changed(request, lambda db, repo: _create(db, repo, _HEADS, name, start))


async def create_tag(request: Request) -> Response:
    """A tag on the revision the address names."""
    asked = await json_body(request)
    name, target = text_member(asked, "tag"), parameter(request, "ref")
    return await _changed(request, lambda db, repo: _create(db, repo, _TAGS, name, target))


async def delete_branch(request: Request) -> Response:
    """Remove a branch; the main one stays."""
    name = parameter(request, "ref")
    if _HEADS + name == MAIN:
        raise Refusal(403, "The main branch cannot be deleted.")
    return await _changed(request, lambda db, repo: _delete(db, repo, _HEADS + name))


async def delete_tag(request: Request) -> Response:
    """Remove a tag."""
    name = parameter(request, "ref")
    return await _changed(request, lambda db, repo: _delete(db, repo, _TAGS + name))


async def _changed(request: Request, change: Callable[[sqlite3.Connection, Repo], None]) -> Response:
    """Run `change` when the sender may write to the repository."""
    hub = hub_of(request)

    def run() -> None:
        with hub.store.writing() as db:
            repo = repo_of(request, db)
            hub.access.writer(caller_of(request), repo)
            change(db, repo)

    await run_in_threadpool(run)
    return JSONResponse({"success": True})


def _create(db: sqlite3.Connection, repo: Repo, prefix: str, name: str, target: str) -> None:
    if not is_ref_name(name):
        raise Refusal(400, f"Invalid reference name {name!r}.")
    if db.execute("SELECT 1 FROM refs WHERE repo = ? AND name = ?", (repo.key, prefix + name)).fetchone():
        raise Refusal(409, f"Reference already exists: {prefix}{name}")
    oid = resolve(db, repo, target)
    db.execute("INSERT INTO refs (repo, name, oid) VALUES (?, ?, ?)", (repo.key, prefix + name, oid))


def _delete(db: sqlite3.Connection, repo: Repo, ref: str) -> None:
    if db.execute("DELETE FROM refs WHERE repo = ? AND name = ?", (repo.key, ref)).rowcount == 0:
        raise Refusal(404, f"Reference does not exist: {ref}", code="RevisionNotFound")


ROUTES = [
    Route("/api/{kind}/{namespace}/{name}/refs", list_refs),
    Route("/api/{kind}/{namespace}/{name}/branch/{ref}", create_branch, methods=["POST"]),
    Route("/api/{kind}/{namespace}/{name}/branch/{ref}", delete_branch, methods=["DELETE"]),
    Route("/api/{kind}/{namespace}/{name}/tag/{ref}", create_tag, methods=["POST"]),
    Route("/api/{kind}/{namespace}/{name}/tag/{ref}", delete_tag, methods=["DELETE"]),
]
