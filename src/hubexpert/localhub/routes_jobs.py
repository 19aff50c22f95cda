"""Jobs: start, list, look at, follow the log, cancel."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from hubexpert.localhub.bodies import json_body, text_member
from hubexpert.localhub.hosts import address_of
from hubexpert.localhub.jobs import FLAVOR, Job, Jobs, Order
from hubexpert.localhub.records import Refusal
from hubexpert.localhub.web import caller_of, hub_of, parameter, values

_TIMEOUT = 1800.0  # seconds, of a job that names none
_POLL = 0.1  # seconds
_KEEP_ALIVE = 150  # polls without a line


async def hardware(request: Request) -> Response:
    """The one flavor: this machine, which costs nothing."""
    _jobs(request)
    machine = {"name": FLAVOR, "prettyName": "The machine of this Hub", "cpu": "all", "ram": "all", "accelerator": None}
    return JSONResponse([{**machine, "unitCostMicroUSD": 0, "unitCostUSD": 0.0, "unitLabel": "minute"}])


async def start(request: Request) -> Response:
    """A new job."""
    jobs, namespace, asked = _jobs(request), _owned(request), await json_body(request)
    if asked.get("flavor") != FLAVOR:
        raise Refusal(400, f"The flavor of this Hub is {FLAVOR!r}.")
    return JSONResponse(jobs.start(namespace, _order(asked), address_of(*request.scope["server"])).shown())


async def listing(request: Request) -> Response:
    """The jobs of a namespace."""
    found = _jobs(request).listed(_owned(request), values(request, "stage"), values(request, "label"))
    return JSONResponse([job.shown() for job in found])


async def look(request: Request) -> Response:
    """One job."""
    return JSONResponse(_job(request).shown())


async def cancel(request: Request) -> Response:
    """End a job."""
    job = _job(request)
    _jobs(request).cancel(job)
    return JSONResponse(job.shown())


async def logs(request: Request) -> Response:
    """The lines of a job's log as server-sent events, until it ends."""
    return StreamingResponse(_events(_job(request)), media_type="text/event-stream")


async def _events(job: Job) -> AsyncIterator[str]:
    yield _event(f"===== Job started at {job.created} =====", job.created)
    sent = idle = 0
    while True:
        over, ready = job.finished is not None, job.log[sent:]
        for moment, line in ready:
            yield _event(line, moment)
        sent, idle = sent + len(ready), 0 if ready else idle + 1
        if over:
            return
        if idle % _KEEP_ALIVE == _KEEP_ALIVE - 1:
            yield ": keep-alive\n\n"
        await asyncio.sleep(_POLL)


def _event(line: str, moment: str) -> str:
    return f"data: {json.dumps({'data': line, 'timestamp': moment})}\n\n"


def _order(asked: dict[str, Any]) -> Order:
    """What a request wants to be run.

    Raises:
        Refusal: 400 where it is of another form.
    """
    command, timeout = asked.get("command"), asked.get("timeoutSeconds", _TIMEOUT)
    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        raise Refusal(400, "'command' must be a list of strings.")
    if not isinstance(timeout, int | float) or not 0 < timeout < 1e9:
        raise Refusal(400, "'timeoutSeconds' must be a positive number.")
    environment, secrets, labels = (_texts(asked, name) for name in ("environment", "secrets", "labels"))
    image = text_member(asked, "dockerImage", "")
    return Order(tuple(command), environment, secrets, labels, image, float(timeout))


def _texts(asked: dict[str, Any], name: str) -> dict[str, str]:
    found = asked.get(name) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Refusal(400, f"{name!r} must map names to strings.")
    return found


def _jobs(request: Request) -> Jobs:
    """The jobs of this Hub, for someone who may run some.

    Raises:
        Refusal: 401 without a token; 403 where this Hub runs none.
    """
    hub = hub_of(request)
    hub.access.user(caller_of(request))
    if hub.jobs is None:
        raise Refusal(403, "This Hub runs no jobs: it was started without --jobs.")
    return hub.jobs


def _owned(request: Request) -> str:
    """The namespace, when the sender may write to it."""
    namespace = parameter(request, "namespace")
    hub_of(request).access.owner(caller_of(request), namespace)
    return namespace


def _job(request: Request) -> Job:
    return _jobs(request).of(_owned(request), parameter(request, "job"))


ROUTES = [
    Route("/api/jobs/hardware", hardware),
    Route("/api/jobs/{namespace}", start, methods=["POST"]),
    Route("/api/jobs/{namespace}", listing),
    Route("/api/jobs/{namespace}/{job}", look),
    Route("/api/jobs/{namespace}/{job}/logs", logs),
    Route("/api/jobs/{namespace}/{job}/cancel", cancel, methods=["POST"]),
]
