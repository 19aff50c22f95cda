"""Plain pages for people: the list of repositories, and one repository's files and README as text."""

from html import escape
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from hubexpert.localhub.commits import load_files, resolve
from hubexpert.localhub.listing import PAGE, Query, page
from hubexpert.localhub.records import RepoType
from hubexpert.localhub.routes_listing import viewer_of
from hubexpert.localhub.web import KINDS, caller_of, hub_of, parameter, repo_of

_README_LIMIT = 1 << 20  # bytes
_STYLE = "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em}pre{white-space:pre-wrap}"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'",
    "X-Content-Type-Options": "nosniff",
}


def index(request: Request) -> Response:
    """The newest repositories of each type."""
    parts = []
    with hub_of(request).store.reading() as db:
        for title, repo_type in KINDS.items():
            found, more = page(db, Query(repo_type), viewer_of(request))
            links = "".join(f"<li>{_link(_address(repo_type, repo.id), repo.id)}</li>" for repo, _ in found)
            rest = f"<p>Only the newest {PAGE} are shown.</p>" if more else ""
            parts.append(f"<h2>{escape(title.title())}</h2><ul>{links}</ul>{rest}")
    return _page("A Hub on this machine", "".join(parts))


def repository(request: Request) -> Response:
    """The files and the README of one repository, at a revision or on its main branch."""
    hub, revision = hub_of(request), parameter(request, "revision") if "revision" in request.path_params else "main"
    with hub.store.reading() as db:
        repo = repo_of(request, db)
        hub.access.opened(caller_of(request), repo)
        commit = resolve(db, repo, revision)
        files = load_files(db, repo, commit)
    base = f"{_address(repo.type, repo.id)}/resolve/{quote(revision, safe='')}"
    rows = "".join(
        f"<li>{_link(f'{base}/{quote(path)}', path)} ({entry.size:,} bytes)</li>" for path, entry in files.items()
    )
    readme = files.get("README.md")
    text = hub.store.blobs.read(readme.sha256, _README_LIMIT).decode(errors="replace") if readme else ""
    body = f"<p>{_link('/', 'All repositories')}; commit {escape(commit)}</p><ul>{rows}</ul><pre>{escape(text)}</pre>"
    return _page(repo.id, body)


def _address(repo_type: RepoType, repo_id: str) -> str:
    return f"/{'datasets/' if repo_type == 'dataset' else ''}{quote(repo_id)}"


def _link(address: str, text: str) -> str:
    return f'<a href="{escape(address)}">{escape(text)}</a>'


def _page(title: str, body: str) -> Response:
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return HTMLResponse(
        f"<!doctype html><html><head>{head}</head><body><h1>{escape(title)}</h1>{body}</body></html>", headers=_HEADERS
    )


ROUTES = [
    Route("/", index),
    Route("/datasets/{namespace}/{name}", repository),
    Route("/datasets/{namespace}/{name}/tree/{revision}", repository),
    Route("/{namespace}/{name}", repository),
    Route("/{namespace}/{name}/tree/{revision}", repository),
]
