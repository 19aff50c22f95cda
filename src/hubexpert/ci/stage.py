"""A command of this program, run in a process of its own and heard to the end."""

import json
import subprocess
import sys
import tempfile
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


def stage(*arguments: str) -> Stage:
    """Run `hubexpert` with these arguments and `--json`; what it tells on stderr is told on ours, as it comes."""
    last: deque[str] = deque(maxlen=MOST)
    command = [sys.executable, "-P", "-m", "hubexpert", *arguments, "--json"]  # no module of the folder's
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        with subprocess.Popen(
            command, stdout=said, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
        ) as process:
            for line in process.stderr or ():
                sys.stderr.write(line)
                sys.stderr.flush()
                last.append(line)
        said.seek(0)
        records = tuple(json.loads(line) for line in said)
    errors = [number for number, line in enumerate(last) if line.startswith("Error: ")]
    told = list(last)[errors[-1] :] if errors else list(last)
    return Stage(process.returncode, records, "".join(told).strip())
