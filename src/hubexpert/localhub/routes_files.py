"""Files of a repository: their lists, and their contents with ranges."""

from collections.abc import Collection
from pathlib import Path
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from hubexpert.localhub import views
from hubexpert.localhub.bodies import body, json_object
from hubexpert.localhub.commits import load_files, resolve
from hubexpert.localhub.gitids import tree_ids
from hubexpert.localhub.history import last_changes
from hubexpert.localhub.records import Refusal
from hubexpert.localhub.trees import Node, nodes, nodes_in
from hubexpert.localhub.web import (
    caller_of,
    hub_of,
    integer,
    is_true,
    next_link,
    parameter,
    refused,
    repo_of,
    revision_and_path,
)

_TREE_PAGE, _TREE_PAGE_EXPANDED = 1000, 50
_PATHS_LIMIT = 1000
# What is served is somebody's upload: a browser must neither run it nor guess that it is a page.
_INERT = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
_TEXT = (".md", ".txt", ".json", ".jsonl", ".yaml", ".yml", ".csv", ".py", ".gitattributes")
_OTHER_LOOPBACK = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}


def show_tree(request: Request) -> Response:
    """One page of the files and folders of a commit."""
    revision, folder = revision_and_path(str(request.path_params["rest"]))
    expand = is_true(request.query_params.get("expand"))
    size = _TREE_PAGE_EXPANDED if expand else _TREE_PAGE
    start = integer(request, "cursor", 0)
    with hub_of(request).store.reading() as db:
        repo = repo_of(request, db)
        oid = resolve(db, repo, revision)
        files = load_files(db, repo, oid)
        every = nodes_in(files, folder, recursive=is_true(request.query_params.get("recursive")))
        shown = every[start : start + size]
        last = last_changes(db, repo, oid, [item.path for item in shown]) if expand else {}
    trees = tree_ids(files)
    headers = next_link(request, cursor=start + size) if len(every) > start + size else None
    return JSONResponse([views.node(item, trees, last.get(item.path)) for item in shown], headers=headers)


async def show_paths(request: Request) -> Response:
    """The files and folders among the given paths; those that are missing are left out."""
    text = await body(request)
    if request.headers.get("content-type", "").startswith("application/json"):
        asked = json_object(text)
        paths, expand = asked.get("paths", []), asked.get("expand") is True
    else:
        form = parse_qs(text.decode(errors="replace"))
        paths, expand = form.get("paths", []), is_true(form.get("expand", ["0"])[0])
    if not isinstance(paths, list) or not all(isinstance(p, str) for p in paths) or len(paths) > _PATHS_LIMIT:
        raise Refusal(400, f"'paths' must be a list of at most {_PATHS_LIMIT} strings.")
    return await run_in_threadpool(_paths, request, [p.rstrip("/") for p in paths], expand)


def _paths(request: Request, paths: Collection[str], expand: bool) -> Response:
    with hub_of(request).store.reading() as db:
        repo = repo_of(request, db)
        oid = resolve(db, repo, parameter(request, "revision"))
        files = load_files(db, repo, oid)
        every = nodes(files)
        found: list[Node] = [every[path] for path in dict.fromkeys(paths) if path in every]
        last = last_changes(db, repo, oid, [item.path for item in found]) if expand else {}
    trees = tree_ids(files)
    return JSONResponse([views.node(item, trees, last.get(item.path)) for item in found])


def serve_file(request: Request) -> Response:
    """The content of a file; that of an LFS file comes from another origin where there is one."""
    hub = hub_of(request)
    revision, path = revision_and_path(str(request.path_params["rest"]))
    with hub.store.reading() as db:
        repo = repo_of(request, db)
        hub.access.opened(caller_of(request), repo)
        oid = resolve(db, repo, revision)
        entry = load_files(db, repo, oid).get(path)
    headers = {"X-Repo-Commit": oid}
    if entry is None:
        return _missing(path, headers)
    if request.method == "GET":
        hub.downloads.count(repo, path)
    headers["ETag"] = f'"{entry.sha256 if entry.lfs else entry.oid}"'
    if entry.lfs:
        headers |= {"X-Linked-Size": str(entry.size), "X-Linked-ETag": headers["ETag"]}
        elsewhere = _other_origin(request)
        if elsewhere:
            # The real Hub's storage is another origin, to which clients must not send their token.
            location = elsewhere + hub.signer.path("get", entry.sha256, {"name": path.rpartition("/")[2]})
            return Response(status_code=302, headers=headers | {"Location": location})
    return content(hub.store.blobs.path(entry.sha256), path, headers)


def content(file: Path, path: str, headers: dict[str, str]) -> Response:
    """The content of a blob, or the range of it that is asked for."""
    text = path.endswith(_TEXT)
    kind = "text/plain; charset=utf-8" if text else "application/octet-stream"
    name = path.rpartition("/")[2]
    disposition = "inline" if text else "attachment"
    return FileResponse(
        file, headers=headers | _INERT, media_type=kind, filename=name, content_disposition_type=disposition
    )


def _other_origin(request: Request) -> str | None:
    """The same server under its other loopback name; None when it does not listen there, or others can reach it."""
    other = _OTHER_LOOPBACK.get(request.url.hostname or "")
    return str(request.base_url.replace(hostname=other)).rstrip("/") if hub_of(request).two_names and other else None


def _missing(path: str, headers: dict[str, str]) -> Response:
    """The refusal of a missing file: it names the commit, so that clients can remember that the file is missing."""
    response = refused(Refusal(404, f"{path} does not exist in this commit", code="EntryNotFound"))
    response.headers.update(headers)
    return response


ROUTES = [
    Route("/api/{kind}/{namespace}/{name}/tree/{rest:path}", show_tree),
    Route("/api/{kind}/{namespace}/{name}/paths-info/{revision}", show_paths, methods=["POST"]),
    Route("/datasets/{namespace}/{name}/resolve/{rest:path}", serve_file),
    Route("/{namespace}/{name}/resolve/{rest:path}", serve_file),
]
