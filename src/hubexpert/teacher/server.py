"""Replies of a server that speaks OpenAI's chat completions, or of an inference provider, through `huggingface_hub`."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from huggingface_hub import InferenceClient, get_token

from hubexpert.errors import HubExpertError
from hubexpert.hub.calls import LOGIN
from hubexpert.recipe import TeacherSection
from hubexpert.records import Reply
from hubexpert.teacher.faults import (
    CLIENT_FAULTS,
    Fault,
    UnreachableError,
    fatal,
    fault_of,
    lost,
    place,
    reason_of,
    takes_no_schema,
    unreachable,
    wait_after,
)
from hubexpert.teacher.reply import read_reply

ATTEMPTS = 4  # requests for one question
MALFORMED = 2  # of them, how many may bring nothing that can be used


@dataclass(frozen=True)
class Server:
    """A server and how it is asked.

    Attributes:
        schema: of the replies, if it takes one.
        unconstrained: it has taken no schema, and is asked without from now on.
        stopped: nobody waits or tries again.
    """

    settings: TeacherSection
    seed: int | None
    client: InferenceClient
    secrets: frozenset[str]
    schema: Mapping[str, Any] | None
    unconstrained: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)


def replies(
    settings: TeacherSection, seed: int | None, questions: Sequence[str], schema: Mapping[str, Any] | None
) -> Iterator[tuple[int, Reply]]:
    """The index of each question and its reply, in the order in which they arrive; several are asked at once.

    Raises:
        HubExpertError: nobody answers, or the server refuses to be asked at all.
    """
    server = _server(settings, seed, schema)
    pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="teacher")
    answered = False
    try:
        asked = {pool.submit(_reply, server, question): index for index, question in enumerate(questions)}
        for done in as_completed(asked):
            try:
                reply = done.result()
                if reply is None:  # the run is ending: the reason comes with another question
                    continue
                answered = True
            except UnreachableError:
                if not answered:
                    raise
                reply = Reply(state="failed", reason="no connection")
            yield asked[done], reply
    finally:
        server.stopped.set()
        pool.shutdown(cancel_futures=True)


def _server(settings: TeacherSection, seed: int | None, schema: Mapping[str, Any] | None) -> Server:
    key = _key(settings)
    parts = urlsplit(settings.url or "")
    secrets = frozenset(filter(None, (key, parts.password, parts.query)))
    if settings.url is None:
        client = InferenceClient(provider=settings.provider, api_key=key, timeout=settings.timeout)  # type: ignore[arg-type]  # any name: the client knows which there are
        return Server(settings, seed, client, secrets, schema)
    # Without a key of its own the client would send the Hub's token to whatever server this is.
    own: Any = {} if key else {"authorization": None}
    client = InferenceClient(base_url=settings.url, api_key=key or "none", headers=own, timeout=settings.timeout)
    return Server(settings, seed, client, secrets, schema)


def _key(settings: TeacherSection) -> str | None:
    """The key that is sent: that of the variable, for inference providers also the Hub's token; else none.

    Raises:
        HubExpertError: there should be one and is not.
    """
    if settings.key_env:
        key = os.environ.get(settings.key_env, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise HubExpertError(
                f"The environment variable {settings.key_env} holds no key.", fix=f"export {settings.key_env}=..."
            )
        return key
    token = None if settings.url else get_token()
    if settings.url is None and token is None:
        raise HubExpertError(
            f"{place(settings)} needs a token of the Hub, or a key.", fix=f"{LOGIN}, or name a `key_env`"
        )
    return token


def _reply(server: Server, question: str) -> Reply | None:
    """The reply to one question, by at most `ATTEMPTS` requests: again where it failed in passing or is malformed.

    None where the run has ended before there was one.

    Raises:
        UnreachableError: there is no connection.
        HubExpertError: the server refuses to be asked at all.
    """
    empty = 0
    for attempt in range(ATTEMPTS):
        last = attempt == ATTEMPTS - 1
        if server.stopped.is_set():
            return None
        try:
            reply = _constrained(server, question)
        except CLIENT_FAULTS as error:
            fault = fault_of(server.settings, error)
            # `from None`: the client's errors tell the address in full
            if fault is Fault.FATAL:
                server.stopped.set()  # at once: this thread would go on with the next question
                raise fatal(server.settings, error) from None
            if fault is Fault.PASSING and last and lost(error):
                raise unreachable(server.settings, error) from None
            if fault is Fault.FINAL or (fault is Fault.PASSING and last):
                return Reply(state="failed", reason=reason_of(error, server.secrets))
            if fault is Fault.PASSING:
                server.stopped.wait(wait_after(error, attempt))
                continue
            reply = Reply(state="malformed")
        empty += reply.state == "malformed"
        if reply.state != "malformed" or empty == MALFORMED or last:
            return reply
    raise AssertionError  # the last attempt returns or raises


def _constrained(server: Server, question: str) -> Reply:
    """One request with the schema, if there is one; a server that does not take it is asked again without it."""
    schema = None if server.unconstrained.is_set() else server.schema
    try:
        return _request(server, question, schema)
    except CLIENT_FAULTS as error:
        if schema is None or not takes_no_schema(error):
            raise
    server.unconstrained.set()
    return _request(server, question, None)


def _request(server: Server, question: str, schema: Mapping[str, Any] | None) -> Reply:
    """One request."""
    settings = server.settings
    got = server.client.chat_completion(
        [{"role": "user", "content": question}],
        model=settings.model,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        seed=server.seed,
        response_format=None if schema is None else _format(settings, schema),
    )
    # the client lets any JSON pass: everything below may be missing or of another type
    choices = got.choices if isinstance(got.choices, list) else []
    choice = choices[0] if choices else None
    message, usage, ending = getattr(choice, "message", None), got.usage, getattr(choice, "finish_reason", None)
    return read_reply(
        getattr(message, "content", None),
        cut=ending == "length",
        withheld=ending == "content_filter" or bool(getattr(message, "refusal", None)),
        prompt_tokens=getattr(usage, "prompt_tokens", 0),
        completion_tokens=getattr(usage, "completion_tokens", 0),
    )


class _AsItIs(str):
    """A text that equals no other: what the client does not know it leaves as it is."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = str.__hash__


def _format(settings: TeacherSection, schema: Mapping[str, Any]) -> Any:
    """The schema as chat completions take it.

    For providers the client puts it into the form of each. But every server with a `url` it takes for one of its own,
    whose older form vLLM, llama.cpp and others read as any JSON.
    """
    kind = _AsItIs("json_schema") if settings.url else "json_schema"
    return {"type": kind, "json_schema": {"name": "reply", "schema": dict(schema), "strict": True}}
