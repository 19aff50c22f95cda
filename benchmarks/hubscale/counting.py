"""A proxy before the local Hub which notes every request that reaches it."""

import http.client
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

HOP = {"connection", "transfer-encoding", "keep-alive", "date", "server"}
KINDS = ("listing", "configuration", "header", "repository", "dataset", "other", "redirected")


class Asked(NamedTuple):
    """A request: what it is for, its method and its path with the query."""

    kind: str
    method: str
    path: str


def kind_of(path: str) -> str:
    """One of `KINDS`; `redirected` is what the Hub's storage, another server than its API, is asked for."""
    parts = urlsplit(path).path.strip("/").split("/")
    if parts[0] == "lfs":
        return "redirected"
    if parts[:2] == ["api", "datasets"] or parts[0] == "datasets":
        return "dataset"
    if parts[:2] == ["api", "models"]:
        return "listing" if len(parts) == 2 else "repository"
    if "resolve" in parts:
        return {"adapter_config.json": "configuration", "adapter_model.safetensors": "header"}.get(parts[-1], "other")
    return "other"


class CountingProxy(ThreadingHTTPServer):
    """Hands everything on; `log` holds the requests in the order in which they came."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.log: list[Asked] = []

    @property
    def address(self) -> str:
        """For `HF_ENDPOINT`."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def counts(self, since: int = 0) -> Counter[str]:
        """Requests by kind, without the first `since` ones."""
        return Counter(asked.kind for asked in self.log[since:])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that were killed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """The requests of one connection, over one connection to the Hub."""

    server: CountingProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)

    def finish(self) -> None:
        self.upstream.close()
        with suppress(OSError):  # the client is gone
            super().finish()

    def answer(self) -> None:
        self.server.log.append(Asked(kind_of(self.path), self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        try:
            self.upstream.request(self.command, self.path, body=body or None, headers=headers)
            answer = self.upstream.getresponse()
        except (http.client.HTTPException, OSError):  # the Hub closes a connection that has been idle
            self.upstream.close()
            self.upstream.request(self.command, self.path, body=body or None, headers=headers)
            answer = self.upstream.getresponse()
        content = answer.read()
        try:
            self.reply(answer, content)
        except OSError:  # the client has read enough, or was killed
            self.close_connection = True

    do_GET = do_HEAD = do_POST = answer

    def reply(self, answer: http.client.HTTPResponse, content: bytes) -> None:
        self.send_response(answer.status)
        told = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
        for name, value in told.items():
            self.send_header(name, value)
        if "content-length" not in map(str.lower, told):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def counting(upstream: str) -> Iterator[CountingProxy]:
    """The proxy, as long as the block runs."""
    with CountingProxy(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
