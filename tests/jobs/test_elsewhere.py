"""A run in a Hub Job: the real client, a Hub that runs jobs as processes, the real pipeline on a tiny base."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from huggingface_hub import HfApi

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.jobs.elsewhere import Started, _follow
from hubexpert.workspace import Workspace
from tests.commands import run
from tests.conftest import WRITE_TOKEN
from tests.discover.faults import faulty_hub
from tests.jobs.conftest import BASE
from tests.test_light import light

ON = ("run", "--on", "hf-jobs", "--flavor", "local", "--timeout", "10m")
REPO = "tester/hubexpert-jobs"


def shown(captured: pytest.CaptureFixture[str]) -> tuple[str, str]:
    out, err = captured.readouterr()
    assert WRITE_TOKEN not in out + err
    return out, err


@pytest.mark.slow
def test_a_run_in_a_job_is_as_if_it_had_run_here(
    pool: None, project: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Sent, started, followed, fetched; published from here; and asked for again, nothing is sent or run."""
    recipe = project()
    option = ("--recipe", str(recipe))
    assert run(*ON, *option, "--json") == 0
    out, err = shown(capsys)
    told = json.loads(out)
    assert Path(told["lock"]) == recipe.parent / "hubexpert.lock"
    assert Path(told["card"]).is_file()
    for line in ("$0.00 an hour, $0.00 at most", "Started the job", '"verdict"', "Fetching the result"):
        assert line in err
    assert run("publish", *option, "--dry-run", "--force", "--json") == 0
    files = {json.loads(line).get("file") for line in shown(capsys)[0].splitlines()}
    assert {"README.md", "adapter_model.safetensors", "hubexpert.lock"} <= files
    assert run("status", *option, "--offline") in (0, 3)
    assert "the recipe changed" not in "".join(shown(capsys))

    lock = Path(told["lock"]).read_bytes()
    assert run("run", *option, "--quiet", "--json") == 0
    assert Path(told["lock"]).read_bytes() == lock, "a run here finds every stage done"
    shown(capsys)

    before = HfApi().dataset_info(REPO).sha
    again = light(recipe.parent, *ON, *option, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == told
    assert "Started" not in again.stderr
    assert HfApi().dataset_info(REPO).sha == before
    assert HfApi().dataset_info(REPO).private


@pytest.mark.slow
def test_a_workflow_rebuilds_in_a_job_which_compares_too(
    pool: None, project: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The comparison is made where the mixture is, and obeyed here."""
    recipe = project()
    repo = yaml.safe_load(recipe.read_text())["publish"]["repo"]
    command = ("ci", *ON[1:], "--force", "--recipe", str(recipe), "--json")
    assert run(*command) == 0
    told = json.loads(shown(capsys)[0])
    assert (told["state"], told["compared"], told["changed"]) == ("rebuilt", "nothing-published", "true")
    published = HfApi().model_info(repo).sha
    assert told["commit-url"].endswith(f"/commit/{published}")

    (recipe.parent / "kshot/train.jsonl").write_text(
        '{"input": "a", "output": "left"}\n{"input": "b", "output": "right"}\n'
    )
    assert run(*command) == 0
    out, err = shown(capsys)
    told = json.loads(out)
    assert (told["state"], told["compared"]) == ("rebuilt", "not-worse"), err
    assert "Started the job" in err
    assert HfApi().model_info(repo).sha != published

    # asked for again, only what is published is looked at again
    assert run("run", *ON[1:], "--compare", "published", "--recipe", str(recipe), "--json") == 0
    out, err = shown(capsys)
    assert "Started the job" in err
    assert json.loads(out)["compared"]["published"] == f"{repo}@{HfApi().model_info(repo).sha}"


def test_a_comparison_needs_something_published_before_a_job_is_paid_for(
    project: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = project(publish={"repo": None})
    assert run(*ON, "--compare", "published", "--recipe", str(recipe)) == 1
    err = shown(capsys)[1]
    assert "names nothing published to compare with" in err
    assert "A job of" not in err


def test_nothing_of_the_token_leaves_but_as_a_secret(
    project: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A job that fails says so with its log; what it had is kept; the token is in no file or argument."""
    recipe = project(base="tester/there-is-no-such-base")
    assert run(*ON, "--recipe", str(recipe)) == 1
    _, err = shown(capsys)
    assert "tester/there-is-no-such-base does not exist" in err
    assert "failed: Job failed with exit code: 1" in err
    jobs = list(HfApi().list_jobs(namespace="tester"))
    assert WRITE_TOKEN not in repr(jobs)
    key = jobs[0].labels["hubexpert"] if jobs[0].labels else ""
    kept = hub.kept_folder(REPO, key)
    assert kept is not None
    assert {"in/hubexpert.yaml", "in/parcel.json", "in/kshot/train.jsonl", "out/outcome.json"} <= set(kept.sizes)
    for name in kept.sizes:
        assert WRITE_TOKEN.encode() not in hub.kept_file(kept, name).read_bytes()


@pytest.fixture
def silent(endpoint: str) -> Iterator[str]:
    """A Hub that says nothing of the base until the test ends: so long a job of it goes on."""
    ended = threading.Event()

    def plan(_method: str, path: str, _before: int) -> None:
        if path.startswith(f"/api/models/{BASE}"):
            ended.wait(120)

    with faulty_hub(endpoint, plan) as (address, _):
        yield address
        ended.set()


def test_a_second_call_follows_the_running_job_and_cancel_ends_it(
    silent: str, project: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = project()
    command = [sys.executable, "-m", "hubexpert", *ON, "--recipe", str(recipe)]
    environment = {**os.environ, "HF_ENDPOINT": silent}
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert first.stderr is not None
    for line in first.stderr:
        if line.startswith("Started the job"):
            break
    second = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )
    assert second.stderr is not None
    assert "of the same inputs has not ended: following it" in second.stderr.readline()
    second.send_signal(signal.SIGINT)
    _, err = second.communicate(timeout=60)
    assert "is not followed any longer; it goes on.\nFix: the same command follows it again" in err
    (recipe.parent / "kshot/train.jsonl").write_text('{"input": "a", "output": "left"}\n' * 9)
    assert run(*ON, "--recipe", str(recipe)) == 1
    assert "as it was before has not ended" in shown(capsys)[1]
    assert run("run", "--on", "hf-jobs", "--cancel", "--recipe", str(recipe)) == 0
    assert "Cancelled: http" in shown(capsys)[0]
    _, err = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "was cancelled." in err
    assert run("run", "--on", "hf-jobs", "--cancel", "--recipe", str(recipe)) == 0
    assert "No job of this recipe runs." in shown(capsys)[0]
    assert not Workspace(recipe.parent / ".hubexpert").journal("scores").read()


def test_a_job_that_the_hub_no_longer_knows_stands_in_nobodys_way(
    project: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its Hub has been started anew, say: it is not waited for, and cancelled is nothing."""
    recipe = project(base="tester/there-is-no-such-base")
    Workspace(recipe.parent / ".hubexpert").write("job", "another", Started(id="0" * 24, namespace="tester"))
    assert run("run", "--on", "hf-jobs", "--cancel", "--recipe", str(recipe)) == 0
    assert "No job of this recipe runs." in shown(capsys)[0]
    assert run(*ON, "--recipe", str(recipe)) == 1
    assert "Started the job" in shown(capsys)[1]
    gone = hub.Job("0" * 24, "tester", "RUNNING", "", "http://127.0.0.1:9")
    with pytest.raises(HubExpertError, match=f"^The job {'0' * 24} is gone"):
        _follow(gone, "", (), lambda _: None)
