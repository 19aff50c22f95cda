"""Jobs on a Hub of our own: the real client, real processes."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, JobInfo
from huggingface_hub.errors import HfHubHTTPError

from hubexpert.localhub import LocalHub
from tests.localhub.conftest import TOKENS, Site


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HfApi]:
    with LocalHub(tmp_path_factory.mktemp("hub"), tokens=TOKENS, jobs=True) as hub:
        yield HfApi(endpoint=hub.endpoint, token="hf_alice")


def a_job(api: HfApi, script: str, *, timeout: int = 60, **secrets: str) -> JobInfo:
    return api.run_job(
        image="python:3.11",
        command=["sh", "-c", script],
        env={"GREETING": "hello"},
        secrets=secrets,
        flavor="local",
        timeout=timeout,
    )


def test_a_job_sees_its_variables_and_this_hub_and_none_of_the_servers_settings(
    alice: HfApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret reaches the process, and no answer of the API."""
    monkeypatch.setenv("HUBEXPERT_HUB_TOKENS", "of-the-server")
    monkeypatch.setenv("HF_TOKEN", "of-the-server")
    job = a_job(alice, 'echo "$GREETING $SECRET $HF_ENDPOINT $HF_TOKEN$HUBEXPERT_HUB_TOKENS"', SECRET="hidden")
    assert list(alice.fetch_job_logs(job_id=job.id, follow=True)) == [f"hello hidden {alice.endpoint} "]
    ended = alice.wait_for_job(job.id)
    assert (ended.status.stage, ended.docker_image, ended.flavor) == ("COMPLETED", "python:3.11", "local")
    assert "hidden" not in repr([ended, *alice.list_jobs(namespace="alice")])


def test_a_job_finds_a_hub_that_listens_on_ipv6(tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no ::1")
    with LocalHub(tmp_path / "hub", tokens=TOKENS, jobs=True, host="::1") as hub:
        alice = HfApi(endpoint=hub.endpoint, token="hf_alice")
        job = a_job(alice, 'echo "$HF_ENDPOINT"')
        assert list(alice.fetch_job_logs(job_id=job.id, follow=True)) == [hub.endpoint]


def test_what_a_job_installs_goes_with_it_and_leaves_the_servers_packages_as_they_are(
    alice: HfApi,
) -> None:
    """Each has a Python of its own, which sees the server's packages; pip writes into that alone."""
    code = "import sys, starlette; print(sys.prefix)"
    place = "import sysconfig; print(sysconfig.get_path('purelib'))"
    job = a_job(alice, f'python -c "{code}" && python -c "{place}" && python -m pip --version')
    prefix, own, pip = alice.fetch_job_logs(job_id=job.id, follow=True)
    assert own.startswith(prefix)
    assert Path(prefix) != Path(sys.prefix)
    assert pip.startswith("pip ")
    assert alice.wait_for_job(job.id).status.stage == "COMPLETED"
    assert not Path(prefix).exists()


def test_it_fails_is_cancelled_and_runs_out_of_time_as_on_the_hub(alice: HfApi) -> None:
    failed, late, cancelled = (
        a_job(alice, "exit 3"),
        a_job(alice, "sleep 30", timeout=1),
        a_job(alice, "trap 'echo asked; exit 1' TERM; echo ready; while true; do sleep 0.1; done"),
    )
    for line in alice.fetch_job_logs(job_id=cancelled.id, follow=True):
        if line == "ready":
            alice.cancel_job(job_id=cancelled.id)
    assert "asked" in list(alice.fetch_job_logs(job_id=cancelled.id, follow=True))
    ended = {job.id: alice.wait_for_job(job.id).status for job in (failed, late, cancelled)}
    assert (ended[failed.id].stage, ended[failed.id].message) == ("ERROR", "Job failed with exit code: 3")
    assert (ended[late.id].stage, ended[late.id].message) == ("ERROR", "Job timeout")
    assert ended[cancelled.id].stage == "CANCELED"
    assert [job.id for job in alice.list_jobs(status="CANCELED", namespace="alice")] == [cancelled.id]


def test_only_those_who_may_write_run_jobs_and_only_where_it_was_allowed(alice: HfApi, site: Site) -> None:
    """`site` was started without `jobs`."""
    job = a_job(alice, "true")
    for token, status in (("hf_bob", 403), ("hf_carol", 403), (False, 401)):
        other = HfApi(endpoint=alice.endpoint, token=token)
        with pytest.raises(HfHubHTTPError) as refused:
            other.inspect_job(job_id=job.id, namespace="alice")
        assert refused.value.response.status_code == status
    for call in (lambda: a_job(site.alice, "true"), site.alice.list_jobs_hardware):
        with pytest.raises(HfHubHTTPError, match="started without --jobs"):
            call()
    with pytest.raises(HfHubHTTPError, match="cannot be started"):
        alice.run_job(image="", command=["/no/such/program"], flavor="local")


def test_jobs_end_with_the_server(tmp_path: Path) -> None:
    with LocalHub(tmp_path / "hub", tokens=TOKENS, jobs=True) as hub:
        api = HfApi(endpoint=hub.endpoint, token="hf_alice")
        job = a_job(api, "echo $$; sleep 60")
        pid = int(next(iter(api.fetch_job_logs(job_id=job.id, follow=True))))
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(pid, 0)
            os.sched_yield()
