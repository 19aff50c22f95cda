"""Jobs that run as processes of this machine, with the rights of whoever runs the server; no image is used."""

import os
import secrets
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hubexpert.localhub.records import Refusal, timestamp

Stage = Literal["RUNNING", "COMPLETED", "CANCELED", "ERROR"]
FLAVOR = "local"
GRACE = 10.0  # seconds between asking a process to end and ending it
LONGEST = 100_000  # lines kept of a job's log
OWN = ("HF_", "HUGGING", "HUBEXPERT_")  # how the server's own settings begin; a job gets its own


@dataclass(frozen=True)
class Order:
    """What is to be run: the command, its variables, of which the secrets are never shown, and for how long."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    labels: Mapping[str, str]
    image: str
    timeout: float  # seconds


@dataclass
class Job:
    """A job and what has become of it; `log` are its lines with the moments at which they came."""

    id: str
    namespace: str
    order: Order
    created: str
    stage: Stage = "RUNNING"
    message: str | None = None
    finished: str | None = None
    log: list[tuple[str, str]] = field(default_factory=list)
    process: "subprocess.Popen[bytes] | None" = None

    def shown(self) -> dict[str, Any]:
        """The job as the API tells it."""
        return {
            "id": self.id,
            "createdAt": self.created,
            "startedAt": self.created,
            "finishedAt": self.finished,
            "dockerImage": self.order.image,
            "command": list(self.order.command),
            "arguments": [],
            "environment": dict(self.order.environment),
            "secrets": dict.fromkeys(self.order.secrets, ""),
            "labels": dict(self.order.labels),
            "flavor": FLAVOR,
            "status": {"stage": self.stage, "message": self.message},
            "owner": {"id": self.namespace, "name": self.namespace, "type": "user"},
        }


class Jobs:
    """The jobs of a running server; they end with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def start(self, namespace: str, order: Order, endpoint: str) -> Job:
        """Run it, in a folder of its own that goes when it ends."""
        job = Job(id=secrets.token_hex(12), namespace=namespace, order=order, created=timestamp())
        folder = tempfile.TemporaryDirectory(prefix="hubexpert-job-")
        try:
            job.process = subprocess.Popen(
                order.command,
                cwd=folder.name,
                env=_environment(job, Path(folder.name), endpoint),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            folder.cleanup()
            raise Refusal(400, f"The command cannot be started: {error}.") from error
        with self._lock:
            self._jobs[job.id] = job
        threading.Thread(target=self._attend, args=(job, job.process, folder), daemon=True).start()
        return job

    def of(self, namespace: str, job_id: str) -> Job:
        """The job.

        Raises:
            Refusal: 404 where there is none.
        """
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None or job.namespace.lower() != namespace.lower():
            raise Refusal(404, "Job not found")
        return job

    def listed(self, namespace: str, stages: Sequence[str], labels: Sequence[str]) -> list[Job]:
        """The namespace's jobs in one of the stages (in any without one) with all `key=value` labels; newest first."""
        with self._lock:
            jobs = [job for job in self._jobs.values() if job.namespace.lower() == namespace.lower()]
        wanted = {(key, value) for key, _, value in (label.partition("=") for label in labels)}
        fitting = (job for job in reversed(jobs) if wanted <= set(job.order.labels.items()))
        return [job for job in fitting if not stages or job.stage in stages]

    def cancel(self, job: Job) -> None:
        """Ask its processes to end, and end them after a while."""
        with self._lock:
            if job.stage != "RUNNING":
                return
            job.stage = "CANCELED"
        _end(job)

    def close(self) -> None:
        """Cancel what still runs, and wait until it has ended: it may keep what it has, as long as the Hub answers."""
        with self._lock:
            running = [job for job in self._jobs.values() if job.finished is None]
        for job in running:
            self.cancel(job)
        for job in running:
            if job.process is not None:
                job.process.wait()  # no longer than `GRACE`

    def _attend(self, job: Job, process: "subprocess.Popen[bytes]", folder: "tempfile.TemporaryDirectory[str]") -> None:
        """Keep the log, and tell how it ended: with its first process, as a container does."""
        timer = threading.Timer(job.order.timeout, self._expire, (job,))
        timer.daemon = True
        timer.start()
        reader = threading.Thread(target=_read, args=(job, process), daemon=True)
        reader.start()
        code = process.wait()
        _signal(process, signal.SIGKILL)  # what it left running holds the log open
        reader.join(GRACE)  # another session that it started may hold it longer
        timer.cancel()
        folder.cleanup()
        with self._lock:
            if job.stage == "RUNNING":
                job.stage = "ERROR" if code else "COMPLETED"
                job.message = f"Job failed with exit code: {code}" if code else None
            job.finished = timestamp()

    def _expire(self, job: Job) -> None:
        with self._lock:
            if job.stage != "RUNNING":
                return
            job.stage, job.message = "ERROR", "Job timeout"
        _end(job)


def _read(job: Job, process: "subprocess.Popen[bytes]") -> None:
    """Read the log until its end."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    with process.stdout as output:
        for line in output:
            if len(job.log) < LONGEST:
                job.log.append((timestamp(), line.decode(errors="replace").rstrip("\n")))


def _environment(job: Job, folder: Path, endpoint: str) -> dict[str, str]:
    """The server's environment without its own settings, what a job on this Hub needs, and what its order gives."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    places = (_python(folder / "python"), Path(sys.executable).parent, kept.get("PATH", ""))
    here = {
        "PATH": os.pathsep.join(map(str, places)),
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(folder / "huggingface"),
        "HF_HUB_DISABLE_XET": "1",
    }
    return {**kept, **here, "JOB_ID": job.id, "TMPDIR": str(folder), **job.order.environment, **job.order.secrets}


def _python(folder: Path) -> Path:
    """The programs of a Python of the job's own, which sees the server's packages and cannot change them."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    ours = sysconfig.get_path("purelib")
    own = sysconfig.get_path("purelib", "venv", vars={"base": str(folder)})
    Path(own, "server.pth").write_text(f"import site; site.addsitedir({ours!r})\n", encoding="utf-8")
    return folder / "bin"


def _end(job: Job) -> None:
    process = job.process
    if process is None or process.poll() is not None:
        return
    _signal(process, signal.SIGTERM)

    def kill() -> None:
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
