"""`GET /api/models`, `GET /api/datasets`, and everything about one repository."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hubexpert.localhub import views
from hubexpert.localhub.commits import load_commit, load_files, resolve
from hubexpert.localhub.listing import PAGE, Query, Viewer, count_children, page
from hubexpert.localhub.records import Refusal, Repo
from hubexpert.localhub.tags import RELATIONS
from hubexpert.localhub.web import (
    caller_of,
    hub_of,
    integer,
    is_true,
    next_link,
    parameter,
    repo_of,
    repo_type_of,
    values,
)

_NOT_SERVED = ("apps", "inference", "inference_provider", "num_parameters")


def list_repos(request: Request) -> Response:
    """One page of the repositories that satisfy the query."""
    hub, query, viewer = hub_of(request), _query(request), viewer_of(request)
    hub.downloads.write(hub.store, wait=0)
    with hub.store.reading() as db:
        found, cursor = page(db, query, viewer)
    names = _listed(request)
    shown = [views.identity(repo) | _pick(views.properties(repo, summary, repo.head), names) for repo, summary in found]
    return JSONResponse(shown, headers=next_link(request, cursor=cursor) if cursor else None)


def show_repo(request: Request) -> Response:
    """One repository at one revision."""
    hub = hub_of(request)
    hub.downloads.write(hub.store, wait=0)
    expand = values(request, "expand")
    with hub.store.reading() as db:
        repo = repo_of(request, db)
        revision = parameter(request, "revision") if "revision" in request.path_params else "main"
        oid = resolve(db, repo, revision)
        known = views.properties(repo, load_commit(db, repo, oid).summary, oid)
        if "baseModels" in expand or "childrenModelCount" in expand:
            known |= _relatives(db, repo, known["tags"])
        shown = views.identity(repo) | _pick(known, expand or views.SHOWN[repo.type])
        if is_true(request.query_params.get("blobs")):
            shown["siblings"] = views.siblings(load_files(db, repo, oid))
    if is_true(request.query_params.get("securityStatus")):
        # Nothing is scanned here, and the answer says so.
        shown["securityRepoStatus"] = {"scansDone": False, "filesWithIssues": []}
    return JSONResponse(shown)


def _query(request: Request) -> Query:
    asked = request.query_params
    for name in _NOT_SERVED:
        if name in asked:
            raise Refusal(400, f"This Hub cannot filter by {name!r}.")
    return Query(
        type=repo_type_of(request),
        tags=tuple(values(request, "filter")),
        searches=tuple(values(request, "search")),
        author=asked.get("author"),
        pipeline_tag=asked.get("pipeline_tag"),
        gated=is_true(asked["gated"]) if "gated" in asked else None,
        sort=asked.get("sort"),
        ascending=asked.get("direction") == "1",
        limit=min(integer(request, "limit", PAGE), PAGE),
        cursor=asked.get("cursor"),
    )


def viewer_of(request: Request) -> Viewer:
    """Whose private repositories the sender of a request sees."""
    access, caller = hub_of(request).access, caller_of(request)
    return Viewer(access.sees_private(caller), sorted(access.users - {(caller.user or "").lower()}))


def _listed(request: Request) -> Iterable[str]:
    """The properties a listing shows."""
    repo_type, asked = repo_type_of(request), request.query_params
    expand = values(request, "expand")
    refused = set(expand) & set(views.ONLY_SHOWN)
    if refused:
        raise Refusal(400, f"{min(refused)!r} cannot be expanded in listings, only for one repository.")
    if expand:
        return expand
    optional = {"cardData": is_true(asked.get("cardData")), "config": is_true(asked.get("config"))}
    full = views.LISTED_FULL[repo_type] if is_true(asked.get("full")) else ()
    chosen = [name for name, wanted in optional.items() if wanted and not (name == "config" and repo_type == "dataset")]
    return (*views.LISTED[repo_type], *full, *chosen)


def _pick(known: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    chosen = list(names)
    unknown = set(chosen) - known.keys()
    if unknown:
        raise Refusal(400, f"{min(unknown)!r} cannot be expanded.")
    return {name: known[name] for name in chosen}


def _relatives(db: sqlite3.Connection, repo: Repo, tags: Iterable[str]) -> dict[str, Any]:
    """The bases of a model and the number of its children; None and nothing for a dataset."""
    if repo.type != "model":
        return {}
    bases: dict[str, Any] | None = None
    for tag in tags:
        kind, _, name = tag.removeprefix("base_model:").partition(":")
        if tag.startswith("base_model:") and kind in RELATIONS and name:
            bases = bases or {"relation": kind, "models": []}
            bases["models"].append({"id": name})
    return {"baseModels": bases, "childrenModelCount": count_children(db, repo.id, RELATIONS)}


ROUTES = [
    Route("/api/{kind}", list_repos),
    Route("/api/{kind}/{namespace}/{name}", show_repo),
    Route("/api/{kind}/{namespace}/{name}/revision/{revision}", show_repo),
]
