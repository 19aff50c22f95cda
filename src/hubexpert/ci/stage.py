"""A command of this program, run in a process of its own and heard to the end."""

import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

MOST = 40  # last lines of stderr that are kept


@dataclass(frozen=True)
class Stage:
    """What a command gave.

    Attributes:
        code: its exit code.
        records: the objects it printed.
        told: the last lines of what it told on stderr; of an error, from its sentence on.
    """

    code: int
    records: tuple[dict[str, Any], ...]
    told: str


def stage(*arguments: str, limit: float | None = None) -> Stage:
    """Run `hubexpert` with these arguments and `--json`; what it tells on stderr is told on ours, as it comes.

    Args:
        arguments: the command and its options.
        limit: seconds, after which it is ended, and that is what it told.
    """
    last: deque[str] = deque(maxlen=MOST)
    command = [sys.executable, "-P", "-m", "hubexpert", *arguments, "--json"]  # no module of the folder's
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        with subprocess.Popen(
            command, stdout=said, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
        ) as process:
            timer = threading.Timer(limit or 0, process.terminate)
            timer.daemon = True
            if limit:
                timer.start()
            for line in process.stderr or ():
                _tell(line, last)
        if limit and timer.finished.is_set() and process.returncode == -signal.SIGTERM:
            _tell(f"Error: Stopped after {_shown(limit)}: what there is so far is kept.\n", last)
            _tell("Fix: run it again, and it goes on there; a machine with a GPU needs less time (docs/ci.md)\n", last)
        timer.cancel()
        said.seek(0)
        records = tuple(json.loads(line) for line in said if line.endswith("\n"))  # whole ones
    errors = [number for number, line in enumerate(last) if line.startswith("Error: ")]
    told = list(last)[errors[-1] :] if errors else list(last)
    return Stage(process.returncode, records, "".join(told).strip())


def _tell(line: str, last: "deque[str]") -> None:
    sys.stderr.write(line)
    sys.stderr.flush()
    last.append(line)


def _shown(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min"
