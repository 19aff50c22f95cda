"""Discussions and pull requests."""

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hubexpert.localhub import views
from hubexpert.localhub.bodies import json_body, text_member
from hubexpert.localhub.commits import resolve
from hubexpert.localhub.discussions import (
    Discussion,
    Status,
    append,
    comment,
    conflicts,
    event,
    load,
    load_all,
    merge,
    open_discussion,
)
from hubexpert.localhub.records import MAIN, Refusal, Repo
from hubexpert.localhub.web import caller_of, hub_of, integer, parameter, repo_of

_PAGE = 50


def list_discussions(request: Request) -> Response:
    """One page of discussions, newest first."""
    asked = request.query_params
    with hub_of(request).store.reading() as db:
        repo = repo_of(request, db)
        every = load_all(db, repo)
    kind, status, author = asked.get("type", "all"), asked.get("status", "all"), asked.get("author")
    chosen = [
        item
        for item in every
        if kind in ("all", "pull_request" if item.is_pull_request else "discussion")
        and status in ("all", "open" if item.is_open else "closed")
        and author in (None, item.author)
    ]
    start = integer(request, "p", 0) * _PAGE
    shown = [views.discussion(item, repo) for item in chosen[start : start + _PAGE]]
    return JSONResponse({"discussions": shown, "count": len(chosen), "start": start})


def show_discussion(request: Request) -> Response:
    """A discussion with all that happened in it."""
    with hub_of(request).store.reading() as db:
        repo = repo_of(request, db)
        item = load(db, repo, _number(request))
        answer = views.discussion(item, repo) | {"events": item.events}
        if item.is_pull_request:
            answer["changes"] = {"base": MAIN, "mergeCommitId": item.merged}
            answer["filesWithConflicts"] = conflicts(db, repo, item) if item.merged is None else []
    return JSONResponse(answer)


async def create_discussion(request: Request) -> Response:
    """A new discussion, or a pull request without commits."""
    hub, asked = hub_of(request), await json_body(request)
    title, pull = text_member(asked, "title"), asked.get("pullRequest") is True

    def create() -> int:
        with hub.store.writing() as db:
            repo = repo_of(request, db)
            author = hub.access.speaker(caller_of(request), repo)
            base = resolve(db, repo, MAIN) if pull else None
            status: Status = "draft" if pull else "open"
            item = open_discussion(db, repo, title=title, author=author, status=status, base=base)
            append(db, repo, item.num, comment(author, text_member(asked, "description", "")))
            return item.num

    return JSONResponse({"num": await run_in_threadpool(create)})


async def add_comment(request: Request) -> Response:
    """Say something."""
    text = text_member(await json_body(request), "comment")
    return await _happened(request, "newMessage", lambda item, user: comment(user, text), everyone=True)


async def change_title(request: Request) -> Response:
    """Give a discussion another title."""
    title = text_member(await json_body(request), "title")
    return await _happened(
        request, "newTitle", lambda item, user: event("title-change", user, {"from": item.title, "to": title})
    )


async def change_status(request: Request) -> Response:
    """Open or close a discussion."""
    status = text_member(await json_body(request), "status")
    if status not in ("open", "closed"):
        raise Refusal(400, "'status' must be 'open' or 'closed'.")

    def change(item: Discussion, user: str) -> dict[str, Any]:
        if item.status == "merged":
            raise Refusal(400, f"The pull request {item.num} is merged, and stays so.")
        return event("status-change", user, {"status": status})

    return await _happened(request, "newStatus", change)


async def merge_pull_request(request: Request) -> Response:
    """Apply a pull request to the main branch."""
    hub = hub_of(request)

    def run() -> None:
        with hub.store.writing() as db:
            repo = repo_of(request, db)
            author = hub.access.writer(caller_of(request), repo)
            merge(db, hub.store.blobs, repo, load(db, repo, _number(request)), author)

    await run_in_threadpool(run)
    return JSONResponse({"success": True})


async def _happened(
    request: Request, answer: str, make: Callable[[Discussion, str], dict[str, Any]], *, everyone: bool = False
) -> Response:
    """Add the event that `make` yields, from the discussion's author or a writer, and send it back as `answer`."""

    def run() -> dict[str, Any]:
        with hub_of(request).store.writing() as db:
            repo = repo_of(request, db)
            item = load(db, repo, _number(request))
            happened = make(item, _speaker(request, repo, item, everyone))
            append(db, repo, item.num, happened)
            return happened

    return JSONResponse({answer: await run_in_threadpool(run)})


def _speaker(request: Request, repo: Repo, item: Discussion, everyone: bool) -> str:
    access, caller = hub_of(request).access, caller_of(request)
    if everyone or caller.user == item.author:
        return access.speaker(caller, repo)
    return access.writer(caller, repo)


def _number(request: Request) -> int:
    text = parameter(request, "num")
    if not text.isdecimal() or len(text) > 9:
        raise Refusal(404, "A discussion has a number.")
    return int(text)


_ONE = "/api/{kind}/{namespace}/{name}/discussions/{num}"
ROUTES = [
    Route("/api/{kind}/{namespace}/{name}/discussions", list_discussions),
    Route("/api/{kind}/{namespace}/{name}/discussions", create_discussion, methods=["POST"]),
    Route(_ONE, show_discussion),
    Route(f"{_ONE}/comment", add_comment, methods=["POST"]),
    Route(f"{_ONE}/title", change_title, methods=["POST"]),
    Route(f"{_ONE}/status", change_status, methods=["POST"]),
    Route(f"{_ONE}/merge", merge_pull_request, methods=["POST"]),
]
