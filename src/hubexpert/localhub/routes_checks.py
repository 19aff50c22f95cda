"""Questions about a token, an access and a card."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hubexpert.localhub.bodies import json_body, text_member
from hubexpert.localhub.records import Refusal, RepoType
from hubexpert.localhub.validation import validate
from hubexpert.localhub.web import caller_of, hub_of, repo_of


def who_am_i(request: Request) -> Response:
    """The user of the token."""
    caller = caller_of(request)
    user = hub_of(request).access.user(caller)
    if caller.only:
        raise Refusal(403, "This token is a workflow's, and stands for no user.")
    token = {"displayName": "local", "role": caller.scope, "createdAt": "2024-01-01T00:00:00.000Z"}
    answer = {
        "type": "user",
        "id": user,
        "name": user,
        "fullname": user,
        "isPro": False,
        "orgs": [],
        "auth": {"type": "access_token", "accessToken": token},
    }
    return JSONResponse(answer)


def check_access(request: Request) -> Response:
    """Whether the files of a repository can be read, or (`/write`) changed."""
    hub, caller = hub_of(request), caller_of(request)
    with hub.store.reading() as db:
        repo = repo_of(request, db)
    hub.access.opened(caller, repo)
    if request.url.path.endswith("/write"):
        hub.access.writer(caller, repo)
    return Response()


async def validate_card(request: Request) -> Response:
    """What is wrong with a card: 200 when nothing is, else 400."""
    asked = await json_body(request)
    repo_type: RepoType = "dataset" if asked.get("repoType") == "dataset" else "model"
    errors, warnings = await run_in_threadpool(validate, text_member(asked, "content"), repo_type)
    answer = {"errors": [{"message": e} for e in errors], "warnings": [{"message": w} for w in warnings]}
    return JSONResponse(answer, 400 if errors else 200)


def no_xet(request: Request) -> Response:
    """Say how to upload: the client asks for a Xet token unless it is told not to."""
    raise Refusal(404, "This Hub has no Xet storage: set HF_HUB_DISABLE_XET=1 for the client.")


ROUTES = [
    Route("/api/whoami-v2", who_am_i),
    Route("/api/validate-yaml", validate_card, methods=["POST"]),
    Route("/api/{kind}/{namespace}/{name}/auth-check", check_access),
    Route("/api/{kind}/{namespace}/{name}/auth-check/write", check_access),
    Route("/api/{kind}/{namespace}/{name}/xet-read-token/{revision}", no_xet),
    Route("/api/{kind}/{namespace}/{name}/xet-write-token/{revision}", no_xet),
]
