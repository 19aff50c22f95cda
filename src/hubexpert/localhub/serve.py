"""A running Hub: in a thread of this process, or alone until it is told to stop."""

import signal
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Self

from hubexpert.errors import HubExpertError
from hubexpert.localhub.downloads import Downloads
from hubexpert.localhub.hosts import address_of
from hubexpert.localhub.jobs import Jobs
from hubexpert.localhub.publishers import Publisher, Trust
from hubexpert.localhub.records import Token
from hubexpert.localhub.store import Store

if TYPE_CHECKING:
    import uvicorn

_SHUTDOWN_SECONDS = 5


class LocalHub:
    """A Hub served by a thread while the `with` block runs.

    Args:
        root: the folder of its store.
        host: the address it listens on.
        port: 0 takes a free one.
        tokens: of its users.
        jobs: run the jobs that are asked for.
        publishers: the workflows that may have a token without a secret.
        audience: what their identities must be made for; by default the endpoint.

    Attributes:
        endpoint: within the block, its address, for `HF_ENDPOINT`.
    """

    endpoint: str

    def __init__(
        self,
        root: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tokens: Sequence[Token] = (),
        jobs: bool = False,
        publishers: Sequence[Publisher] = (),
        audience: str | None = None,
    ) -> None:
        self._root = root
        self._host = host
        self._port = port
        self._tokens = tokens
        self._jobs = Jobs() if jobs else None
        self._publishers = tuple(publishers)
        self._audience = audience

    def __enter__(self) -> Self:
        """Start, and return when it answers.

        Raises:
            HubExpertError: when the port or the folder cannot be had, or what serving needs is not installed.
        """
        self._store, self._downloads = Store(self._root), Downloads()
        self._socket = _listen(self._host, self._port)
        self.endpoint = _endpoint(self._host, self._socket)
        trust = Trust(self._publishers, self._audience or self.endpoint)
        try:
            self._server = _server(self._store, self._tokens, self._downloads, self._host, self._jobs, trust)
        except HubExpertError:
            self._socket.close()
            raise
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)
            if not self._thread.is_alive():
                self._socket.close()
                raise HubExpertError("The Hub did not start.", fix="Look at the messages above.")
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop, giving requests under way, and then other writers, a few seconds."""
        if self._jobs:
            self._jobs.close()
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self._downloads.write(self._store, wait=_SHUTDOWN_SECONDS)


def serve(hub: LocalHub, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `announce` gets the endpoint once it answers.

    Raises:
        HubExpertError: as `LocalHub`.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with hub:
            announce(hub.endpoint)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        fix = "Choose another --port (0 takes a free one) or --host."
        raise HubExpertError(f"Cannot listen on {host}, port {port}: {error}.", fix=fix) from error
    # Inherited by connections: else each answer's body waits 40 ms for the client to acknowledge the headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _endpoint(host: str, listening: socket.socket) -> str:
    # A server that listens everywhere is reached at a loopback address from here.
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a comparison, not a binding
    return address_of(name, listening.getsockname()[1])


def _server(
    store: Store, tokens: Sequence[Token], downloads: Downloads, host: str, jobs: Jobs | None, trust: Trust
) -> "uvicorn.Server":
    try:
        import uvicorn

        from hubexpert.localhub.app import make_app
    except ImportError as error:
        message = f"Serving a Hub needs {error.name}, which is not installed."
        raise HubExpertError(message, fix="pip install 'hubexpert[hub]'") from error
    config = uvicorn.Config(
        make_app(store, tokens, downloads, host, jobs, trust),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return uvicorn.Server(config)
