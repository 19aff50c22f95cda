"""What a job does: `python -m hubexpert.jobs.there` runs the recipe of a parcel and keeps what it leaves.

It is kept also where the run fails, is cancelled or comes near the end of its time, so that the next job goes on.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.jobs.command import BEGUN, IN, KEY, OPTIONS, OUT, REPO, SECONDS
from hubexpert.jobs.outcome import OUTCOME, collect, restore
from hubexpert.jobs.parcel import unpack

RESERVE = (0.1, 600.0)  # of the time, and at most so many seconds, for keeping what there is
GRACE = 5.0  # seconds between asking the run to end and ending it
STOPPED = 143  # the exit code of a run that was asked to end


def main() -> int:
    """Run; returns the run's exit code."""
    repo, key = os.environ[REPO], os.environ[KEY]
    signal.signal(signal.SIGTERM, _stop)
    hub.show_progress(False)  # a log is no terminal: bars would fill it
    with tempfile.TemporaryDirectory() as folder:
        parcel, left = Path(folder, "parcel"), Path(folder, "left")
        project = _arrive(repo, key, parcel)
        try:
            code = _run(project)
        except SystemExit:
            code = STOPPED
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what there is must be kept now
        collect(project, left, code)
        hub.keep_folder(repo, f"{key}/{OUT}", left, message=f"What the run of {key} left (exit code {code})")
    return code


def _arrive(repo: str, key: str, folder: Path) -> Path:
    """The project's folder, with what was sent, and what an earlier job left."""
    sent = hub.kept_folder(repo, f"{key}/{IN}")
    if sent is None:
        raise HubExpertError(f"{repo} holds no {key}/{IN}.", fix="hubexpert run --on hf-jobs")
    for name in sent.sizes:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(hub.kept_file(sent, name), folder / name)
    project = unpack(folder).parent
    before = hub.kept_folder(repo, f"{key}/{OUT}")
    if before is not None and OUTCOME in before.sizes:
        try:
            restore(before, project)
        except HubExpertError as error:
            print(f"Starting afresh. {error.message}", flush=True)  # noqa: T201
    return project


def _run(project: Path) -> int:
    """`hubexpert run` in the folder, until it ends or its time does."""
    options = os.environ.get(OPTIONS, "").split()
    process = subprocess.Popen([sys.executable, "-P", "-m", "hubexpert", "run", "--json", *options], cwd=project)
    try:
        return process.wait(_time_left())
    except subprocess.TimeoutExpired:
        print("The job's time is nearly over: stopping, and keeping what there is.", flush=True)  # noqa: T201
        return STOPPED
    finally:
        _end(process)


def _time_left() -> float:
    """Seconds for the run: those of the job without what has passed, and without what keeping takes."""
    whole, now = float(os.environ[SECONDS]), time.time()
    share, most = RESERVE
    return max(0.0, whole - min(share * whole, most) - (now - float(os.environ.get(BEGUN, now))))


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(STOPPED)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HubExpertError as error:
        sys.exit(f"Error: {error.message}\nFix: {error.fix}")
