"""A real proxy before the test Hub that loses, refuses and falsifies answers, and a client in its own process."""

import http.client
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.servers import Handler, Server, serving

HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"}


@dataclass(frozen=True)
class Fault:
    """What is done to one request.

    Attributes:
        status: answer with this instead of asking the Hub.
        headers: of that answer.
        body: of that answer.
        reset: cut the connection: `during` the request, `before` asking the Hub, or `after` it has answered.
        change: what becomes of the Hub's answer, a JSON value.
        add: headers that the Hub's answer gets, in the place of its own.
        cut: send only so many bytes of the Hub's answer.
        silent: of a cut answer, tell the length that is sent, not that of the whole.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": "planned"}'
    reset: str | None = None
    change: Callable[[Any], Any] | None = None
    add: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    silent: bool = False


Plan = Callable[[str, str, int], Fault | None]


def no_fault(method: str, path: str, before: int) -> None:
    """A plan without any fault."""


class Proxy(Handler):
    """One request: passed on to the Hub and back, unless the plan has a fault for it."""

    server: "ProxyServer"

    def answer(self) -> None:
        """Answer with what the plan says, else with what the Hub says."""
        fault = self.server.fault(self.command, self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if fault.reset == "during":
            self.rfile.read(length // 2)
            return self.reset()
        body = self.rfile.read(length)
        if fault.status:
            return self.reply(fault.status, dict(fault.headers), fault.body)
        if fault.reset == "before":
            return self.reset()
        status, headers, content = self.ask(body)
        if fault.reset == "after":
            return self.reset()
        if fault.change:
            content = json.dumps(fault.change(json.loads(content))).encode()
        headers = {k: v for k, v in headers.items() if k.lower() not in {a.lower() for a in fault.add}} | dict(
            fault.add
        )
        if fault.cut is not None:
            headers = headers if fault.silent else headers | {"Content-Length": str(len(content))}
            content = content[: fault.cut]
            self.close_connection = True
        self.reply(status, headers, content)

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = answer

    def ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """The Hub's answer: status, headers, content."""
        hub = http.client.HTTPConnection(urlsplit(self.server.upstream).netloc, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP | {"accept-encoding"}}
        path = self.path.replace("limit=1000", f"limit={self.server.page}").replace(
            "limit=100&", f"limit={self.server.page}&"
        )
        hub.request(self.command, path, body=body or None, headers=headers)
        answer = hub.getresponse()
        content = answer.read()
        hub.close()
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        kept = {k: v for k, v in answer.getheaders() if k.lower() not in HOP}
        return answer.status, kept | ({"Content-Length": length} if length else {}), content

    def reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class ProxyServer(Server):
    """The proxy; `seen` counts the requests by method and path."""

    def __init__(self, upstream: str, plan: Plan, page: int) -> None:
        super().__init__(Proxy)
        self.upstream, self.plan, self.page = upstream, plan, page
        self.seen: Counter[tuple[str, str]] = Counter()
        self.counting = threading.Lock()

    def fault(self, method: str, path: str) -> Fault:
        """Count a request; what is to be done to it. The address of a large file is signed anew every time."""
        path = path.partition("?")[0] if path.startswith("/lfs/") else path
        with self.counting:
            before = self.seen[method, path]
            self.seen[method, path] += 1
        return self.plan(method, path, before) or Fault()


@contextmanager
def faulty_hub(
    upstream: str, plan: Plan = no_fault, *, page: int = 1000
) -> Iterator[tuple[str, "Counter[tuple[str, str]]"]]:
    """The proxy's address, and how often each (method, path) was asked for.

    Args:
        upstream: the test Hub.
        plan: gets the method, the path with its query, and how often that one was asked for before.
        page: how many entries a page of a listing has.
    """
    with serving(ProxyServer(upstream, plan, page)) as server:
        yield server.address, server.seen


def client(script: str, endpoint: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script whose client talks to that address; `huggingface_hub` reads it once, when it is imported."""
    inherited = {**os.environ, "HF_ENDPOINT": endpoint, **environment}
    return subprocess.run(
        [sys.executable, "-c", script], env=inherited, capture_output=True, text=True, timeout=120, check=False
    )
