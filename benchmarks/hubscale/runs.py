"""The Hub in a process of its own, and commands as their users start them, with what they cost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hubexpert

from .counting import Asked, CountingProxy

HERE = Path(__file__).parent
SOURCE = Path(hubexpert.__file__).parents[1]
# What belongs to the adapters: not the datasets they cite, nor the storage that the Hub sends readers on to.
OF_ADAPTERS = ("listing", "configuration", "header", "repository", "other")


@dataclass(frozen=True)
class Run:
    """What a command printed and what it cost.

    Attributes:
        lines: the JSON objects on its stdout.
        asked: its requests, in their order.
        seconds: on the wall.
        busy: seconds of its own on the CPUs.
        peak: bytes of memory, of the largest among the command and the processes that it starts.
        kept: bytes of the snapshot that it left.
    """

    lines: tuple[dict[str, Any], ...]
    asked: tuple[Asked, ...]
    seconds: float
    busy: float
    peak: int
    kept: int

    @property
    def counts(self) -> Counter[str]:
        """Its requests by kind."""
        return Counter(asked.kind for asked in self.asked)

    @property
    def requests(self) -> int:
        """All of its requests; those of the process that reads rows of datasets are among them."""
        return len(self.asked)

    @property
    def of_adapters(self) -> int:
        """Its requests that are about adapters."""
        return sum(self.counts[kind] for kind in OF_ADAPTERS)

    @property
    def inspected(self) -> int:
        """The adapters of which it asked for a file."""
        files = [asked.path for asked in self.asked if asked.kind in ("configuration", "header")]
        return len({path.split("/resolve/")[0] for path in files})


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The address of `hubexpert hub serve` for that store, as long as the block runs."""
    command = [sys.executable, "-m", "hubexpert", "hub", "serve", "--root", str(root), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def discover(base: str, *options: str) -> list[str]:
    """The command that users type; it looks for datasets, too, only where it is to show them."""
    return [sys.executable, "-m", "hubexpert", "discover", "--base", base, "--json", "--quiet", *options]


def run(command: Sequence[str], proxy: CountingProxy, home: Path) -> Run:
    """Run a command to its end.

    Args:
        command: the whole of it; it prints JSON objects, one a line.
        proxy: the Hub's address to it.
        home: its `HF_HOME`.
    """
    since, report = len(proxy.log), home.with_name(f"{home.name}.cost")
    home.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(_measured(command, report), stdout=subprocess.PIPE, env=_environment(proxy, home), check=True)
    seconds, peak, busy = map(float, report.read_text().split())
    return Run(
        lines=tuple(map(json.loads, done.stdout.splitlines())),
        asked=tuple(proxy.log[since:]),
        seconds=seconds,
        busy=busy,
        peak=int(peak) * 1024,
        kept=sum(file.stat().st_size for file in home.glob("hubexpert/*.sqlite3")),
    )


def run_killed(command: Sequence[str], proxy: CountingProxy, home: Path, *, after: int) -> tuple[Asked, ...]:
    """Kill a command with SIGKILL as soon as it has asked for its page number `after`; what it had asked for."""
    since = len(proxy.log)
    home.mkdir(parents=True, exist_ok=True)
    environment = _environment(proxy, home)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, start_new_session=True) as running:
        while proxy.counts(since)["listing"] < after:
            assert running.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
        os.killpg(running.pid, signal.SIGKILL)
    time.sleep(0.5)  # what it had sent arrives
    return tuple(proxy.log[since:])


def _measured(command: Sequence[str], report: Path) -> list[str]:
    return [sys.executable, "-I", "-S", str(HERE / "measured.py"), str(report), *command]


def _environment(proxy: CountingProxy | None = None, home: Path | None = None) -> dict[str, str]:
    """This process's environment, without what would lead a run elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "HUBEXPERT"))}
    kept |= {"PYTHONPATH": str(SOURCE), "NO_PROXY": "127.0.0.1,localhost", "HF_HUB_DISABLE_TELEMETRY": "1"}
    if proxy and home:
        kept |= {"HF_ENDPOINT": proxy.address, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return kept
