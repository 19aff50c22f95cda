"""Large files: where they are to be put, and their contents. Only signed addresses are served, to whoever has one."""

import sqlite3
from collections.abc import Iterator

from anyio import from_thread, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hubexpert.localhub.bodies import json_body
from hubexpert.localhub.contents import Claim, note_upload, size_of
from hubexpert.localhub.names import is_sha256
from hubexpert.localhub.records import Refusal, Repo
from hubexpert.localhub.routes_files import content
from hubexpert.localhub.web import caller_of, hub_of, origin, parameter, repo_of


async def batch(request: Request) -> Response:
    """For each announced object, where to put it; nothing for those the sender can commit without sending them."""
    hub, asked = hub_of(request), await json_body(request)
    objects = asked.get("objects")
    if asked.get("operation") != "upload" or not isinstance(objects, list):
        raise Refusal(400, "Only the upload of a list of objects is supported.")
    # A reader may upload, too: that is how pull requests come in. What no commit names is never served.
    user = hub.access.user(caller_of(request))

    def place() -> list[dict[str, object]]:
        with hub.store.reading() as db:
            repo = repo_of(request, db)
            claim = Claim(user, hub.access.may_open(caller_of(request), repo))
            return [_placed(request, db, repo, claim, item) for item in objects]

    answer = {"transfer": "basic", "objects": await run_in_threadpool(place), "hash_algo": "sha256"}
    return JSONResponse(answer, media_type="application/vnd.git-lfs+json")


def _placed(request: Request, db: sqlite3.Connection, repo: Repo, claim: Claim, item: object) -> dict[str, object]:
    sha256, size = (item.get("oid"), item.get("size")) if isinstance(item, dict) else (None, None)
    if not isinstance(sha256, str) or not is_sha256(sha256) or not isinstance(size, int) or size < 0:
        raise Refusal(400, "An object has an 'oid', which is a sha256, and a 'size'.")
    placed: dict[str, object] = {"oid": sha256, "size": size}
    if size_of(db, repo, claim, sha256) is None:
        path = hub_of(request).signer.path("put", sha256, {"size": size, "repo": repo.key, "user": claim.user})
        placed["actions"] = {"upload": {"href": origin(request) + path}}
    return placed


async def put(request: Request) -> Response:
    """Keep a content that was announced, and remember who uploaded it to which repository."""
    hub, sha256 = hub_of(request), parameter(request, "sha256")
    claims = hub.signer.check("put", sha256, request.query_params)
    size = int(claims["size"])

    def keep() -> None:
        hub.store.blobs.put_chunks(sha256, size, _received(request))
        with hub.store.writing() as db:
            note_upload(db, int(claims["repo"]), claims["user"], sha256, size)

    # Slow uploads hold up one another and nothing else: all other work is done by other threads.
    await to_thread.run_sync(keep, limiter=hub.uploads)
    return Response(headers={"ETag": f'"{sha256}"'})


def _received(request: Request) -> Iterator[bytes]:
    """The chunks of a body, for a worker thread: hashing and writing gigabytes must not hold up other requests."""
    stream = aiter(request.stream())

    async def chunk() -> bytes | None:
        return await anext(stream, None)

    while (received := from_thread.run(chunk)) is not None:
        yield received


def get(request: Request) -> Response:
    """The content of an LFS file."""
    hub, sha256 = hub_of(request), parameter(request, "sha256")
    claims = hub.signer.check("get", sha256, request.query_params)
    return content(hub.store.blobs.path(sha256), claims["name"], {"ETag": f'"{sha256}"'})


ROUTES = [
    Route("/datasets/{namespace}/{name}.git/info/lfs/objects/batch", batch, methods=["POST"]),
    Route("/{namespace}/{name}.git/info/lfs/objects/batch", batch, methods=["POST"]),
    Route("/lfs/{sha256}", put, methods=["PUT"]),
    Route("/lfs/{sha256}", get),
]
