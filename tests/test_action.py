"""The GitHub Action and its workflows: nothing that actionlint or zizmor object to, and run by `act` as they stand."""

import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.commands import run

ROOT = Path(__file__).parents[1]
TOOLS = Path(sysconfig.get_path("scripts"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a recipe in a folder, and the workflow that `init` writes for it; returns its root."""
    (tmp_path / ".git").mkdir()
    recipe = tmp_path / "expert" / "hubexpert.yaml"
    (tmp_path / "expert/kshot").mkdir(parents=True)
    recipe.write_text("base: gpt2\ntask: {name: t, shots: kshot, test: test.jsonl}\n")
    assert run("init", "--github", "--recipe", str(recipe)) == 0
    return tmp_path


def workflow(root: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((root / ".github/workflows/hubexpert.yml").read_text())
    return loaded


def test_actionlint_and_zizmor_object_to_nothing(repository: Path) -> None:
    """What is excepted stands beside its reason in the files."""
    workflows = [*(ROOT / ".github/workflows").glob("*.yml"), repository / ".github/workflows/hubexpert.yml"]
    files = [ROOT / "action.yml", ROOT / ".github/dependabot.yml"]
    zizmor = ["zizmor", "--offline", "--persona=auditor", "--no-progress", "--quiet", *map(str, files)]
    for tool, *options in (["actionlint", "-no-color"], zizmor):
        command = [str(TOOLS / tool), *options, *map(str, workflows)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_runs_when_recipe_or_examples_change(repository: Path) -> None:
    on = workflow(repository)[True]  # YAML's `on`
    paths = ["expert/hubexpert.yaml", "expert/kshot/**", "expert/test.jsonl"]
    assert on["push"] == {"branches": ["main"], "paths": paths}
    assert on["pull_request"] == {"paths": paths}
    assert set(on) == {"push", "pull_request", "schedule", "workflow_dispatch"}


def test_a_pull_request_gets_no_secret_and_no_right_beyond_reading(repository: Path) -> None:
    written = workflow(repository)
    assert written["permissions"] == {}
    check, rebuild = written["jobs"]["check"], written["jobs"]["rebuild"]
    assert check["if"] == "github.event_name == 'pull_request'"
    assert check["permissions"] == {"contents": "read"}
    assert "secrets" not in str(check)
    assert "environment" not in check
    assert rebuild["if"] == "github.event_name != 'pull_request'"
    assert rebuild["permissions"] == {"contents": "read", "id-token": "write"}


def test_workflows_of_two_recipes_do_not_wait_for_each_other(repository: Path) -> None:
    """GitHub lets one run of a group wait and cancels a second one that waits: it would be that of another recipe."""
    assert "github.workflow_ref" in workflow(repository)["concurrency"]["group"]  # the file and the branch


def test_every_foreign_action_is_pinned_by_its_commit_and_the_same_everywhere() -> None:
    files = [ROOT / "action.yml", ROOT / "templates/rebuild.yml", *(ROOT / ".github/workflows").glob("*.yml")]
    commits: dict[str, set[str]] = {}
    for used in re.findall(r"uses: (\S+)", "".join(file.read_text() for file in files)):
        name, _, commit = used.partition("@")
        if not name.startswith("hubexpert/hubexpert"):
            assert re.fullmatch("[0-9a-f]{40}", commit), used
            commits.setdefault("/".join(name.split("/")[:2]), set()).add(commit)
    assert set(commits) == {"actions/checkout", "actions/setup-python", "actions/cache"}
    assert all(len(each) == 1 for each in commits.values())


def cached(patterns: str, home: Path) -> set[str]:
    """The files that `actions/cache` packs: what a pattern matches is packed whole, and `!` takes only matches out."""
    taken: set[Path] = set()
    for line in patterns.replace("${{ env.HF_HOME || '~/.cache/huggingface' }}", str(home)).splitlines():
        if line.startswith("!"):
            taken -= set(Path("/").glob(line[2:]))
        elif not line.startswith("**"):
            taken |= set(Path("/").glob(line[1:]))
    places = [place for each in taken for place in (each, *each.rglob("*"))]
    return {place.relative_to(home).as_posix() for place in places if place.is_file()}


def test_no_token_of_the_machine_is_cached(tmp_path: Path) -> None:
    """Whoever may open a pull request reads what is cached, and a runner of one's own may be logged in."""
    for name in ("token", "stored_tokens", "hub/models--a--b/refs/main", "hubexpert/x.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("hf_x")
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    caching = [step["with"]["path"] for step in steps if step.get("uses", "").startswith("actions/cache")]
    assert len(caching) == 2
    for patterns in caching:
        assert cached(patterns, tmp_path) == {"hub/models--a--b/refs/main", "hubexpert/x.json"}


def test_no_code_of_the_repository_is_run(tmp_path: Path) -> None:
    """A pull request may bring modules that are called as those that are imported."""
    for name in ("pip", "json", "yaml", "hubexpert"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')\nraise SystemExit(9)\n")
    (tmp_path / "hubexpert.yaml").write_text("base: gpt2\ntask: {name: t, shots: shots.jsonl}\n")
    (tmp_path / "shots.jsonl").write_text('{"input": "one", "output": "a"}\n{"input": "two", "output": "b"}\n')
    given = {
        "VERSION": "--help",
        "COMMAND": "check",
        "RECIPE": "hubexpert.yaml",
        "PUBLISH": "none",
        "STOP_AFTER": "1h",
    }  # installs nothing
    environment = {**os.environ, **dict.fromkeys(("REPO", "EXTRAS", "DISCOVER", "FORCE", "FLAVOR"), ""), **given}
    environment["PATH"] = f"{TOOLS}:{environment['PATH']}"
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert len(scripts) == 2
    for script in scripts:
        done = subprocess.run(
            ["bash", "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert not (tmp_path / "ran").exists(), script
        assert done.returncode == 0, done.stderr
    assert "checked" in done.stdout


def test_init_writes_over_no_workflow_unless_told_to(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, file = repository / "expert/hubexpert.yaml", repository / ".github/workflows/hubexpert.yml"
    file.write_text("mine")
    assert run("init", "--github", "--recipe", str(recipe)) == 1
    assert "exists already" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert run("init", "--github", "--recipe", str(recipe), "--force") == 0
    assert file.read_text() != "mine"
    assert recipe.read_text().startswith("base: gpt2")  # as it was


def test_init_says_so_where_the_branch_is_another(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The workflow would never run for a push, and nothing would tell."""
    recipe = str(repository / "expert/hubexpert.yaml")
    for branch, told in (("main", False), ("master", True)):
        (repository / ".git/HEAD").write_text(f"ref: refs/heads/{branch}\n")
        assert run("init", "--github", "--recipe", recipe, "--force") == 0
        assert (f"this branch is {branch}" in capsys.readouterr().err) == told


def test_init_writes_recipe_and_workflow_in_one_go(tmp_path: Path) -> None:
    recipe = tmp_path / "hubexpert.yaml"
    assert run("init", "--github", "--base", "gpt2", "--shots", "shots.jsonl", "--recipe", str(recipe)) == 0
    assert workflow(tmp_path)[True]["push"]["paths"] == ["hubexpert.yaml", "shots.jsonl"]


def test_init_refuses_a_path_that_a_workflow_would_read_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "hubexpert.yaml"
    assert run("init", "--github", "--base", "gpt2", "--shots", "${{ secrets.A }}.jsonl", "--recipe", str(recipe)) == 1
    assert "means something else in a workflow" in capsys.readouterr().err
    assert not (tmp_path / ".github").exists()
