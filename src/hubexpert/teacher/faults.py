"""What a failed request to the teacher means: whether it may pass, how long to wait, and what the user is told."""

import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from urllib.parse import urlsplit

import httpx2
from huggingface_hub.errors import InferenceTimeoutError, OfflineModeIsEnabled, RepositoryNotFoundError

from hubexpert.errors import HubExpertError, first_line
from hubexpert.escape import clean
from hubexpert.hub.calls import LOGIN
from hubexpert.recipe import TeacherSection

FIRST_WAIT = 0.5  # seconds; doubled after every attempt, and up to half as long again by chance
LONGEST_WAIT = 60.0  # seconds, also where the server asks for more
LONGEST = 10_000  # characters of what a server says of an error
SCHEMA = re.compile(r"response_?format|json_?schema|structured.?output|grammar|guided", re.IGNORECASE)
# The client reads bodies of any form; what it trips over is a body that is no reply.
NO_REPLY = (ValueError, TypeError, AttributeError, RecursionError, httpx2.DecodingError)
CLIENT_FAULTS = (httpx2.HTTPError, httpx2.InvalidURL, OSError, *NO_REPLY)
LOST = (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ConnectTimeout)


class UnreachableError(HubExpertError):
    """There is no connection to the teacher, or it is lost again and again."""


class Fault(Enum):
    """What a failed request means: for this question another try, one more, or none; or the end of the run."""

    PASSING = "passing"
    MALFORMED = "malformed"
    FINAL = "final"
    FATAL = "fatal"


def fault_of(settings: TeacherSection, error: Exception) -> Fault:
    """What the client's error means."""
    status = status_of(error)
    if status is not None and status >= 400:
        if status in (401, 402, 403, 404):
            return Fault.FATAL
        return Fault.PASSING if status in (408, 429) or status >= 500 else Fault.FINAL
    if isinstance(error, OfflineModeIsEnabled | httpx2.InvalidURL) or (
        settings.url is None and type(error) is ValueError
    ):
        return Fault.FATAL  # the client's own word for a provider or model that there is not is a ValueError
    if isinstance(error, (InferenceTimeoutError, *LOST)):
        return Fault.PASSING
    return Fault.MALFORMED if isinstance(error, NO_REPLY) else Fault.FINAL


def takes_no_schema(error: Exception) -> bool:
    """Whether the server says, as it does not take the request, something of the form that replies should have."""
    response = _response(error)
    if response is None or response.status_code not in (400, 422, 500, 501):
        return False
    try:
        return SCHEMA.search(response.text[:LONGEST]) is not None
    except httpx2.StreamError:
        return False


def lost(error: Exception) -> bool:
    """Whether there was no connection, or it broke before an answer came."""
    return isinstance(error, LOST) or isinstance(error.__cause__, LOST)


def status_of(error: Exception) -> int | None:
    """The status of the answer behind the error, if there was an answer."""
    response = _response(error)
    return None if response is None else response.status_code


def _response(error: BaseException | None) -> httpx2.Response | None:
    """The answer behind an error: the client may trip over its body while it makes the error."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, httpx2.Response):
            return response
        error = error.__context__
    return None


def wait_after(error: Exception, attempt: int) -> float:
    """Seconds until the next attempt: what the server asks for, or ever longer; by chance not all at once."""
    response = _response(error)
    told = None if response is None else _told_wait(response.headers.get("retry-after", ""))
    by_chance = random.random() / 2  # noqa: S311  spreads requests, hides nothing
    if told is not None:
        return min(told, LONGEST_WAIT) + by_chance * FIRST_WAIT
    return float(min(FIRST_WAIT * 2**attempt, LONGEST_WAIT) * (1 + by_chance))


def _told_wait(header: str) -> float | None:
    """Seconds that a Retry-After header asks for, if it does; it may be a number or a date."""
    header = header.strip()
    if header.isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def reason_of(error: Exception, secrets: frozenset[str]) -> str:
    """In a few words why there was no reply, with what the server says of it, never with a secret."""
    response = _response(error)
    if response is None:
        return "no answer in time" if isinstance(error, InferenceTimeoutError) else type(error).__name__
    told = _told(response)
    for secret in sorted(secrets, key=len, reverse=True):
        told = told.replace(secret, "***")
    return clean(f"error {response.status_code}" + (f": {told}" if told else ""), longest=200)


def _told(response: httpx2.Response) -> str:
    """What the server says of an error, in one of the forms that servers use; empty where it says nothing readable."""
    try:
        body = response.json()
    except (ValueError, RecursionError, httpx2.StreamError):
        return ""
    for key in ("error", "message", "detail") if isinstance(body, dict) else ():
        value = body.get(key)
        value = value.get("message") if isinstance(value, dict) else value
        if isinstance(value, str):
            return value
    return ""


def place(settings: TeacherSection) -> str:
    """The teacher as messages call it; of an address neither password nor query."""
    if settings.local:
        return f"The teacher {clean(settings.model)}"
    if settings.url is None:
        return f"The teacher {clean(settings.model)} of {settings.provider or 'the inference providers'}"
    parts = urlsplit(settings.url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return clean(f"The teacher at {parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}")


def unreachable(settings: TeacherSection, error: Exception) -> UnreachableError:
    """That nobody answers."""
    where = "`data.teacher.url`" if settings.url else "the network"
    message = f"{place(settings)} did not answer ({type(error).__name__})."
    return UnreachableError(message, fix=f"start it, or check {where}; then run again: replies that came are kept")


def fatal(settings: TeacherSection, error: Exception) -> HubExpertError:
    """Why no question can be asked."""
    who, status = place(settings), status_of(error)
    if isinstance(error, OfflineModeIsEnabled):
        return HubExpertError(f"{who} cannot be asked: offline mode is on.", fix="unset HF_HUB_OFFLINE")
    if status == 404 or isinstance(error, RepositoryNotFoundError):
        fix = "check `data.teacher.model`" + (
            " and `data.teacher.url`" if settings.url else " and `data.teacher.provider`"
        )
        return HubExpertError(f"{who} has no model {clean(settings.model)}, or no chat completions.", fix=fix)
    if status == 402:
        return HubExpertError(f"{who} asks for payment.", fix="mend that, or name another one under `data.teacher`")
    if status in (401, 403):
        return HubExpertError(f"{who} does not accept the key.", fix=_key_fix(settings))
    if isinstance(error, httpx2.InvalidURL):
        return HubExpertError(f"{who} has no usable address.", fix="correct `data.teacher.url`")
    fix = "check `data.teacher.provider` and `data.teacher.model`"
    return HubExpertError(f"{who} cannot be asked: {clean(first_line(error))}", fix=fix)


def _key_fix(settings: TeacherSection) -> str:
    if settings.key_env:
        return f"put a key that it accepts in {settings.key_env}"
    if settings.url is None:
        return f"{LOGIN}, with a token that may use inference providers"
    return "put its key in an environment variable, and name that in `data.teacher.key_env`"
