"""Bodies of requests, read with limits."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request

from hubexpert.localhub.records import Refusal

_JSON_LIMIT = 16 * 1024 * 1024  # bytes


async def body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        Refusal: 413 when it is larger than any honest one.
    """
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _JSON_LIMIT:
            raise Refusal(413, "The request is too large.")
    return bytes(received)


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object in a body; empty when there is no body.

    Raises:
        Refusal: 400 when it is something else.
    """
    return json_object(await body(request) or b"{}")


def json_object(text: bytes) -> dict[str, Any]:
    """The JSON object in `text`.

    Raises:
        Refusal: 400 when it is something else.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "The request is not JSON.") from error
    if not isinstance(value, dict):
        raise Refusal(400, "The request is no JSON object.")
    return value


def text_member(values: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A member of a JSON object that must be text.

    Raises:
        Refusal: 400 when it is not, or is missing and has no default.
    """
    value = values.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not _is_sound(value):
        raise Refusal(400, f"{name!r} must be a string.")
    return value


def _is_sound(text: str) -> bool:
    """Whether `text` can be written down: JSON can spell half of a character that takes two codes."""
    return text.isascii() or text == text.encode(errors="replace").decode()


async def lines(request: Request, *, line_limit: int, total_limit: int) -> AsyncIterator[bytes]:
    """The lines of a body that may be large, one after the other.

    Raises:
        Refusal: 413 when a line, or all of them, are larger than the limits in bytes.
    """
    waiting, total = bytearray(), 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > total_limit or len(waiting) > line_limit:
            raise Refusal(413, "The commit is too large: send large files by LFS.")
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            yield bytes(waiting + end)
            waiting = bytearray()
        waiting += rest
    yield bytes(waiting)
