"""Commits: announce files, commit them, list and squash the history."""

import re
import sqlite3
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hubexpert.localhub import views
from hubexpert.localhub.bodies import json_body, json_object, lines, text_member
from hubexpert.localhub.commits import commit_edits, load_files, resolve, write_commit
from hubexpert.localhub.contents import Claim, Upload, as_edits
from hubexpert.localhub.discussions import Discussion, comment, load, open_discussion
from hubexpert.localhub.discussions import append as append_event
from hubexpert.localhub.history import history
from hubexpert.localhub.payload import Header, keep_file, placed, read_change, read_header
from hubexpert.localhub.records import Edit, Refusal, Repo
from hubexpert.localhub.web import caller_of, hub_of, integer, is_true, next_link, parameter, repo_of, repo_url

Change = Edit | Upload

_LINE_LIMIT = 32 * 1024 * 1024  # bytes; a regular file of 5 MiB needs 7
_COMMIT_LIMIT = 1024 * 1024 * 1024
_CHANGES_LIMIT = 100_000
_PAGE = 1000


async def preupload(request: Request) -> Response:
    """For each announced file, whether it goes into the commit or by LFS, and the id of the one it replaces."""
    asked = await json_body(request)
    announced = asked.get("files")
    if not isinstance(announced, list) or not all(isinstance(item, dict) for item in announced):
        raise Refusal(400, "'files' must be a list of objects.")
    hub_of(request).access.user(caller_of(request))

    def place() -> list[dict[str, Any]]:
        with hub_of(request).store.reading() as db:
            repo = repo_of(request, db)
            present = load_files(db, repo, resolve(db, repo, parameter(request, "revision")))
        return [placed(item, present) for item in announced]

    return JSONResponse({"files": await run_in_threadpool(place)})


async def make_commit(request: Request) -> Response:
    """Commit to a branch, or (`create_pr=1`) to a new pull request.

    The body holds a header and one change a line; contents are kept as they arrive, never all in memory.
    """
    hub = hub_of(request)
    create_pr = is_true(request.query_params.get("create_pr"))
    revision = parameter(request, "revision")
    await run_in_threadpool(_authorised, request, revision, create_pr)
    header: Header | None = None
    changes: list[Change] = []
    async for line in lines(request, line_limit=_LINE_LIMIT, total_limit=_COMMIT_LIMIT):
        if not line.strip():
            continue
        item = json_object(line)
        if header is None:
            header = read_header(item)
        elif item.get("key") == "file":
            changes.append(await run_in_threadpool(keep_file, hub.store.blobs, item))
        else:
            changes.append(read_change(item))
        if len(changes) > _CHANGES_LIMIT:
            raise Refusal(413, f"A commit has at most {_CHANGES_LIMIT:,} changes.")
    if header is None:
        raise Refusal(400, "A commit begins with a header.")
    return await run_in_threadpool(_committed, request, revision, create_pr, header, changes)


def _authorised(request: Request, revision: str, create_pr: bool) -> str:
    """The name of the sender, when they may commit here: a pull request needs no right to write."""
    hub, caller = hub_of(request), caller_of(request)
    with hub.store.reading() as db:
        repo = repo_of(request, db)
        pull = _pull_request(db, repo, revision)
        if create_pr or (pull is not None and pull.author == caller.user):
            return hub.access.speaker(caller, repo)
    return hub.access.writer(caller, repo)


def _pull_request(db: sqlite3.Connection, repo: Repo, revision: str) -> Discussion | None:
    match = re.fullmatch(r"refs/pr/([0-9]{1,9})", revision)
    return load(db, repo, int(match[1])) if match else None


def _committed(request: Request, revision: str, create_pr: bool, header: Header, changes: list[Change]) -> Response:
    hub = hub_of(request)
    author = _authorised(request, revision, create_pr)
    with hub.store.writing() as db:
        repo = repo_of(request, db)
        ref = _branch(db, repo, revision)
        answer: dict[str, Any] = {"success": True}
        if create_pr:
            base = resolve(db, repo, ref)
            pull = open_discussion(db, repo, title=header.title, author=author, status="open", base=base)
            append_event(db, repo, pull.num, comment(author, header.message))
            ref = pull.ref
            answer["pullRequestUrl"] = f"{repo_url(request, repo.type, repo.id)}/discussions/{pull.num}"
        oid = commit_edits(
            db,
            hub.store.blobs,
            repo,
            ref,
            as_edits(db, repo, Claim(author, hub.access.may_open(caller_of(request), repo)), changes),
            title=header.title,
            message=header.message,
            author=author,
            parent=header.parent,
        )
    answer |= {"commitOid": oid, "commitUrl": f"{repo_url(request, repo.type, repo.id)}/commit/{oid}"}
    return JSONResponse(answer)


def _branch(db: sqlite3.Connection, repo: Repo, revision: str) -> str:
    """The full name of a branch or pull request that can be committed to."""
    ref = revision if revision.startswith("refs/") else f"refs/heads/{revision}"
    pull = _pull_request(db, repo, ref)
    if pull is not None and not pull.is_open:
        raise Refusal(400, f"The pull request {pull.num} is {pull.status}.")
    if ref.startswith("refs/tags/"):
        raise Refusal(400, "A tag cannot be committed to.")
    resolve(db, repo, ref)
    return ref


def list_commits(request: Request) -> Response:
    """One page of the history of a revision, newest first."""
    start = integer(request, "p", 0)
    with hub_of(request).store.reading() as db:
        repo = repo_of(request, db)
        oid = resolve(db, repo, parameter(request, "revision"))
        found = history(db, repo, oid, skip=start * _PAGE, limit=_PAGE + 1)
    shown = [views.commit(item) for item in found[:_PAGE]]
    if "formatted" in request.query_params.getlist("expand[]"):
        shown = [item | {"formatted": {"title": item["title"], "message": item["message"]}} for item in shown]
    return JSONResponse(shown, headers=next_link(request, p=start + 1) if len(found) > _PAGE else None)


async def squash(request: Request) -> Response:
    """Replace the history of a branch by one commit of its files."""
    hub, asked = hub_of(request), await json_body(request)
    title = text_member(asked, "message", "Super-squash")

    def squashed() -> str:
        with hub.store.writing() as db:
            repo = repo_of(request, db)
            author = hub.access.writer(caller_of(request), repo)
            ref = _branch(db, repo, parameter(request, "revision"))
            files = load_files(db, repo, resolve(db, repo, ref))
            return write_commit(db, hub.store.blobs, repo, ref, files, parent=None, title=title, author=author)

    return JSONResponse({"commitId": await run_in_threadpool(squashed)})


ROUTES = [
    Route("/api/{kind}/{namespace}/{name}/preupload/{revision}", preupload, methods=["POST"]),
    Route("/api/{kind}/{namespace}/{name}/commit/{revision}", make_commit, methods=["POST"]),
    Route("/api/{kind}/{namespace}/{name}/commits/{revision}", list_commits),
    Route("/api/{kind}/{namespace}/{name}/super-squash/{revision}", squash, methods=["POST"]),
]
