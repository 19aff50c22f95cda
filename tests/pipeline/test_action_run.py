"""The workflow that `hubexpert init --github` writes and the action it uses, run by `act`, against the test Hub.

GitHub itself is not here: `actions/setup-python` and `actions/cache` are stand-ins that do nothing, and another issuer
gives the workflow its identity. The Hub that takes that for a token is `hubexpert hub serve` with its publishers.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from huggingface_hub import HfApi

from hubexpert.localhub import Store
from tests.commands import run
from tests.issuer import PUSH, REQUEST_TOKEN, Issuer, issuer
from tests.pipeline.world import rows, write_jsonl

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
STAND_IN = """name: stand-in
description: Does nothing.
inputs: {python-version: {default: ""}, path: {default: ""}, key: {default: ""}, restore-keys: {default: ""}}
runs: {using: composite, steps: [{shell: bash, run: "true"}]}
"""
Act = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine that runs jobs: a Python that has this environment's libraries already, and stand-ins of actions."""
    folder = tmp_path_factory.mktemp("runner")
    venv.create(folder / "python", with_pip=True, symlinks=True)
    site = folder / f"python/lib/python3.{sys.version_info.minor}/site-packages"
    (site / "libraries.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    for name in ("setup-python", "cache/restore", "cache/save"):
        (folder / name).mkdir(parents=True)
        (folder / name / "action.yml").write_text(STAND_IN)
    # act reads the whole folder of an action into memory: environments and caches must not lie in it
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (folder / "hubexpert" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / "hubexpert" / name, follow_symlinks=False)
    return folder


@pytest.fixture
def act(runner: Path, tmp_path: Path) -> Act:
    """Runs the jobs of an event in the repository; the exit code, and the log with the summaries."""
    used = re.findall(r"uses: (actions/(?:setup-python|cache))\S*@(\w+)", (ROOT / "action.yml").read_text())
    replaced = [f"{name}@{commit}={runner / name.partition('/')[2]}" for name, commit in sorted(set(used))]
    replaced.append(f"hubexpert/hubexpert@v0.1.0={runner / 'hubexpert'}")

    def jobs(repository: Path, event: str, *options: str, address: str, **environment: str) -> tuple[int, str]:
        environment |= {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": ""}
        program = str(Path(sysconfig.get_path("scripts")) / "act")
        command = [program, event, "-P", "ubuntu-latest=-self-hosted", *options]
        command += ["--no-cache-server", "--action-cache-path", str(tmp_path / "act")]
        command += [part for each in replaced for part in ("--local-repository", each)]
        command += [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
        inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HF_TOKEN")}
        inherited["PATH"] = f"{runner / 'python/bin'}:{inherited['PATH']}"
        done = subprocess.run(
            command,
            cwd=repository,
            env=inherited,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
            check=False,
        )
        return done.returncode, done.stdout

    return jobs


@pytest.fixture
def repository(project: Callable[..., Path]) -> Path:
    """A git repository with a project and its workflow, which publishes whatever the verdict is."""
    recipe = project(evaluate={"contributions": 0})
    subprocess.run(["git", "init", "-q", "-b", "main", recipe.parent], check=True)
    assert run("init", "--github", "--recipe", str(recipe)) == 0
    edit(recipe.parent, "publish: commit", "force: true\n          publish: commit")
    edit(recipe.parent, "https://download.pytorch.org/whl/cpu", '""')  # it is installed
    return recipe.parent


def edit(repository: Path, old: str, new: str) -> None:
    """Change the workflow, and commit everything, as the author of a pull request would."""
    file = repository / ".github/workflows/hubexpert.yml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    subprocess.run(["git", "add", "-A"], cwd=repository, check=True)
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *who, "commit", "-q", "-m", "x"], cwd=repository, check=True)


@pytest.fixture
def trusting(store: Store, tmp_path: Path) -> Iterator[tuple[str, Issuer]]:
    """The address of a second server of the test Hub, which trusts the workflow as docs/ci.md has it, and an issuer."""
    with issuer() as github, contextlib.ExitStack() as stack:
        claims = {name: PUSH[name] for name in ("repository", "ref", "workflow_ref")}
        publisher = {"resource": f"tester/{tmp_path.name}-project", "issuer": github.address, "claims": claims}
        (tmp_path / "publishers.yaml").write_text(yaml.safe_dump([publisher]))
        command = [sys.executable, "-m", "hubexpert", "hub", "serve", "--root", str(store.root), "--port", "0"]
        command += ["--publishers", str(tmp_path / "publishers.yaml")]
        server = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(server.terminate)
        assert server.stdout is not None
        yield server.stdout.readline().strip(), github


def test_changed_shots_are_published_without_any_secret_and_then_nothing_is_to_do(
    repository: Path, act: Act, trusting: tuple[str, Issuer], tmp_path: Path
) -> None:
    repo, (address, github) = f"tester/{tmp_path.name}-project", trusting
    identity = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{github.address}/identity?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
    }
    HfApi().create_repo(repo, private=True)  # a workflow's identity can make none
    first = HfApi().model_info(repo).sha

    # a fork's workflow, or that of another branch, is another one
    github.says = {**PUSH, "repository": "mallory/expert"}
    code, log = act(repository, "push", address=address, **identity)
    assert code == 1
    assert "make this workflow a trusted publisher" in log
    assert HfApi().model_info(repo).sha == first

    github.says = PUSH
    code, log = act(repository, "push", address=address, **identity)
    assert code == 0, log
    commit = HfApi().model_info(repo).sha
    assert f"::set-output:: commit-url={address}/{repo}/commit/{commit}" in log
    assert "hubexpert: rebuilt and published" in log
    assert "hf_jwt" not in log
    assert HfApi().list_repo_commits(repo)[0].authors == ["[OIDC]"]

    code, log = act(repository, "push", address=address, **identity)
    assert code == 0, log
    assert "::set-output:: changed=false" in log
    assert "hubexpert: fresh" in log
    assert HfApi().model_info(repo).sha == commit


def test_changed_shots_are_proposed_with_a_token(
    repository: Path, act: Act, endpoint: str, token: str, tmp_path: Path
) -> None:
    repo = f"tester/{tmp_path.name}-project"
    HfApi().create_repo(repo)
    write_jsonl(repository / "kshot/train.jsonl", rows(17))
    edit(repository, "publish: commit", "publish: pr")
    code, log = act(repository, "push", "-s", f"HF_TOKEN={token}", address=endpoint)
    assert code == 0, log
    assert f"::set-output:: pr-url={endpoint}/{repo}/discussions/1" in log
    assert [each.is_pull_request for each in HfApi().get_repo_discussions(repo)] == [True]
    assert token not in log


def test_a_forks_pull_request_is_checked_and_sees_no_secret(
    repository: Path, act: Act, endpoint: str, token: str, tmp_path: Path
) -> None:
    """What is published is private: with the secret, which the repository has, its broken lock would be seen."""
    repo = f"tester/{tmp_path.name}-project"
    HfApi().create_repo(repo, private=True)
    HfApi().upload_file(path_or_fileobj=b"{}", path_in_repo="hubexpert.lock", repo_id=repo)
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": {"head": {"repo": {"fork": True}}}}))
    secret = ["-s", f"HF_TOKEN={token}", "-e", str(tmp_path / "event.json")]
    code, log = act(repository, "pull_request", *secret, address=endpoint)
    assert code == 0, log
    assert "hubexpert: checked" in log
    assert "nothing built yet" in log
    assert "hubexpert/rebuild" not in log
    assert token not in log

    code, log = act(repository, "push", *secret[:2], address=endpoint)
    assert code == 1
    assert "hubexpert.lock is damaged" in log
