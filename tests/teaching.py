"""Real teachers' servers: one that answers by a plan (late, wrongly, in pieces or not at all), one with a model."""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import Handler, Server, serving

SERVE = "from transformers.cli.transformers import main; main()"


@dataclass(frozen=True)
class Answer:
    """What is answered to one request.

    Attributes:
        body: the bytes, or what becomes JSON.
        status: of the answer.
        headers: further ones.
        delay: seconds before it is sent.
        cut: send only so many bytes of it.
        reset: cut the connection instead.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    cut: int | None = None
    reset: bool = False


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def question(self) -> str:
        """The user's message."""
        return str(self.body["messages"][0]["content"])


Plan = Callable[[Asked, int], Answer]


def said(text: Any, *, finish: str = "stop", delay: float = 0, **message: Any) -> Answer:
    """A reply with that text, in the form of OpenAI's chat completions."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return Answer({"id": "1", "created": 1, "model": "m", "choices": [choice], "usage": usage}, delay=delay)


def echo(asked: Asked, before: int) -> Answer:
    """A teacher that says what it was asked."""
    return said(f"re: {asked.question}")


class Teaching(Handler):
    """One request, answered as the plan says."""

    server: "TeacherServer"

    def do_POST(self) -> None:
        """Answer."""
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, content)
        answer = self.server.plan(asked, self.server.note(asked))
        with self.server.at_work():
            time.sleep(answer.delay)
        if answer.reset:
            return self.reset()
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: answer.cut])
        self.close_connection = answer.cut is not None


class TeacherServer(Server):
    """The server; `seen` holds the requests in the order in which they came, `most` how many were in work at once."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(Teaching)
        self.plan = plan
        self.seen: list[Asked] = []
        self.counts: Counter[str] = Counter()
        self.working = self.most = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Its address, as a recipe names it."""
        return f"{self.address}/v1"

    def note(self, asked: Asked) -> int:
        """Keep a request; how often its question came before."""
        with self.lock:
            self.seen.append(asked)
            self.counts[asked.question] += 1
            return self.counts[asked.question] - 1

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count how many requests are in work."""
        with self.lock:
            self.working += 1
            self.most = max(self.most, self.working)
        try:
            yield
        finally:
            with self.lock:
                self.working -= 1


@contextmanager
def teacher_server(plan: Plan = echo) -> Iterator[TeacherServer]:
    """The server, in a thread. The plan gets a request, and how often its question was asked before."""
    with serving(TeacherServer(plan)) as server:
        yield server


@contextmanager
def transformers_server(folder: Path, log: Path) -> Iterator[str]:
    """The address of `transformers serve` with the model in that folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE, "serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("w") as out, subprocess.Popen([*command, "--device", "cpu"], stdout=out, stderr=out) as server:
        try:
            end = time.monotonic() + 120
            while server.poll() is None and time.monotonic() < end and not _answers(port):
                time.sleep(0.1)
            assert _answers(port), log.read_text()
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
