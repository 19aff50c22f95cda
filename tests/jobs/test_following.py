"""A job's log is followed line by line, also over a connection that breaks."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.hub.jobs import priced
from hubexpert.localhub.jobs import Jobs, Order

FOLLOW = "import sys; from hubexpert import hub; [print(line, flush=True) for line in hub.log_lines(*sys.argv[1:])]"


def a_job(script: str, label: str = "following", **secrets: str) -> hub.Job:
    return hub.start_job(
        "tester", label, image="", command=["sh", "-c", script], env={}, secrets=secrets, flavor="local", seconds=60
    )


def a_line_that_breaks(endpoint: str) -> str:
    """The address of a way to the Hub on which the first answer that tells of lines is cut in the middle."""
    listening = socket.create_server(("127.0.0.1", 0))
    whole = urlsplit(endpoint)
    cut = threading.Event()

    def carry(come: socket.socket) -> None:
        with come, socket.create_connection((whole.hostname or "", whole.port or 80)) as there:
            threading.Thread(target=pump, args=(come, there), daemon=True).start()
            while part := there.recv(65536):
                come.sendall(part)
                if b"line 3" in part and not cut.is_set():
                    cut.set()
                    come.shutdown(socket.SHUT_RDWR)
                    return

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while part := source.recv(65536):
                target.sendall(part)
        except OSError:
            return

    def accept() -> None:
        while True:
            come, _ = listening.accept()
            threading.Thread(target=carry, args=(come,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_every_line_comes_once_where_the_connection_breaks(endpoint: str) -> None:
    job = a_job("for i in 1 2 3 4 5 6; do echo line $i; sleep 0.3; done")
    done = subprocess.run(
        [sys.executable, "-c", FOLLOW, "tester", job.id],
        env={**os.environ, "HF_ENDPOINT": a_line_that_breaks(endpoint)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == [f"line {i}" for i in range(1, 7)], done.stderr
    assert "Retrying" in done.stderr, "the connection was cut"


def test_a_log_cannot_command_the_terminal() -> None:
    """Control characters are replaced; of a bar that redraws itself the last state is shown."""
    job = a_job(r"printf '\033[2Jcleared\n 10%%\r 90%%\n'")
    assert list(hub.log_lines("tester", job.id)) == ["\N{REPLACEMENT CHARACTER}[2Jcleared", " 90%"]


def test_a_secret_is_taken_out_of_a_line_before_the_line_is_cut() -> None:
    """Also where it stands over the cut, of which a part would else be shown."""
    job = a_job("""printf '%01990d%s\\n%s, %s\\n' 0 "$KEY" "$KEY" "$KEY" """, "hidden", KEY="a-very-secret-key")
    long, short = hub.log_lines("tester", job.id, ("a-very-secret-key",))
    assert (long, short) == ("0" * 1990 + "***", "***, ***")


def test_a_job_ends_with_its_first_process() -> None:
    """What that leaves running ends, too, so that nobody waits for it."""
    began = time.monotonic()
    job = a_job("sleep 60 & echo left", "leaving")
    assert list(hub.log_lines("tester", job.id)) == ["left"]
    assert hub.look_job("tester", job.id).stage == "COMPLETED"
    assert time.monotonic() - began < 30


def test_a_job_that_does_not_want_to_end_ends_with_the_hub() -> None:
    """At the latest after its grace."""
    jobs = Jobs()
    order = Order(("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"), {}, {}, {}, "", 600)
    job = jobs.start("tester", order, "http://127.0.0.1:9")
    while not job.log:
        time.sleep(0.05)
    jobs.close()
    assert job.process is not None
    assert job.process.returncode == -signal.SIGKILL


def test_jobs_are_found_by_their_label_while_they_run_and_cancelled() -> None:
    job = a_job("sleep 30", "found-again")
    found = hub.live_job("tester", "found-again")
    assert found is not None
    assert found.id == job.id
    assert hub.live_job("tester", "another") is None
    hub.cancel_job("tester", job.id)
    assert hub.job_after("tester", job.id, hub.LIVE).stage == "CANCELED"
    assert hub.live_job("tester", "found-again") is None


def test_a_flavor_that_is_not_there_is_told_with_those_that_are() -> None:
    assert hub.hourly_price("local") == 0
    with pytest.raises(HubExpertError, match="no flavor 'a10g-small'") as error:
        hub.hourly_price("a10g-small")
    assert error.value.fix == "name one of them with --flavor: local"
    assert priced(0.025, "minute") == pytest.approx(1.5)
    assert priced(1.0, "fortnight") is None


def test_a_namespace_of_someone_else_is_refused_with_the_right_that_lacks() -> None:
    with pytest.raises(HubExpertError, match="The Hub runs no job for other: You don't have the rights") as error:
        hub.live_job("other", "x")
    assert "job.write" in error.value.fix
