"""Large files: where they are to be put, and their contents. Only signed addresses are served, to whoever has one."""

from collections.abc import Iterator

from anyio import from_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hubexpert.localhub.bodies import json_body
from hubexpert.localhub.records import Refusal
from hubexpert.localhub.routes_files import content
from hubexpert.localhub.web import caller_of, hub_of, origin, parameter, repo_of


async def batch(request: Request) -> Response:
    """For each announced object, where to put it; nothing for those that are here."""
    hub, asked = hub_of(request), await json_body(request)
    request.path_params["name"] = parameter(request, "name").removesuffix(".git")
    objects = asked.get("objects")
    if asked.get("operation") != "upload" or not isinstance(objects, list):
        raise Refusal(400, "Only the upload of a list of objects is supported.")
    # A reader may upload, too: that is how pull requests come in. What no commit names is never served.
    hub.access.user(caller_of(request))

    def place() -> list[dict[str, object]]:
        with hub.store.reading() as db:
            repo_of(request, db)
        return [_placed(request, item) for item in objects]

    answer = {"transfer": "basic", "objects": await run_in_threadpool(place), "hash_algo": "sha256"}
    return JSONResponse(answer, media_type="application/vnd.git-lfs+json")


def _placed(request: Request, item: object) -> dict[str, object]:
    sha256, size = (item.get("oid"), item.get("size")) if isinstance(item, dict) else (None, None)
    if not isinstance(sha256, str) or not isinstance(size, int) or size < 0:
        raise Refusal(400, "An object has an 'oid' and a 'size'.")
    hub = hub_of(request)
    placed: dict[str, object] = {"oid": sha256, "size": size}
    if hub.store.blobs.size(sha256) is None:
        placed["actions"] = {"upload": {"href": origin(request) + hub.signer.path("put", sha256, size)}}
    return placed


async def put(request: Request) -> Response:
    """Keep a content that was announced."""
    hub, sha256 = hub_of(request), parameter(request, "sha256")
    size = hub.signer.check("put", sha256, request.query_params)
    await run_in_threadpool(hub.store.blobs.put_chunks, sha256, size, _received(request))
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
    hub.signer.check("get", sha256, request.query_params)
    return content(hub.store.blobs.path(sha256), request.query_params["name"], {"ETag": f'"{sha256}"'})


ROUTES = [
    Route("/datasets/{namespace}/{name}/info/lfs/objects/batch", batch, methods=["POST"]),
    Route("/{namespace}/{name}/info/lfs/objects/batch", batch, methods=["POST"]),
    Route("/lfs/{sha256}", put, methods=["PUT"]),
    Route("/lfs/{sha256}", get),
]
