"""`hubexpert ci`, which the GitHub Action runs: a stale expert is rebuilt and published, a fresh one is left alone."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import HfApi, hf_hub_download
from markdown_it import MarkdownIt

from hubexpert.ci.line import Outcome
from hubexpert.ci.place import with_identity
from hubexpert.ci.tell import summary
from hubexpert.escape import HUB
from hubexpert.lock import write_lock
from hubexpert.recipe import read_recipe
from hubexpert.shots import digest, read_task
from tests import tiny
from tests.conftest import READ_TOKEN
from tests.locks import a_lock
from tests.pipeline.test_gate import POOR
from tests.pipeline.world import rows, write_jsonl


@pytest.fixture
def workflow(tmp_path: Path) -> Callable[..., tuple[int, dict[str, str], str, str]]:
    """`hubexpert ci` as a workflow runs it: the exit code, the outputs, the summary, and all that was told."""

    def run(recipe: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, str], str, str]:
        files = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        done = subprocess.run(
            [sys.executable, "-m", "hubexpert", "ci", *arguments, "--recipe", str(recipe)],
            env={**os.environ, **{name: str(file) for name, file in files.items()}, **environment},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        output, summary = (file.read_text() for file in files.values())
        return done.returncode, dict(line.split("=", 1) for line in output.splitlines()), summary, done.stderr

    return run


@pytest.fixture
def newcomer() -> Iterator[str]:
    """A repository for an adapter that is new, which other tests are not to find."""
    HfApi().create_repo("tester/newcomer")
    yield "tester/newcomer"
    HfApi().delete_repo("tester/newcomer")


@pytest.mark.slow
def test_changed_shots_are_rebuilt_and_published_and_then_nothing_is_to_do(
    project: Callable[..., Path], workflow: Callable[..., Any], newcomer: str, tmp_path: Path
) -> None:
    recipe = project(evaluate={"contributions": 0})
    repo = f"tester/{tmp_path.name}-project"

    code, output, summary, told = workflow(recipe)
    assert (code, output["changed"], output["commit-url"]) == (1, "false", ""), told
    assert f"The verdict is `{output['verdict']}`" in summary
    assert f"hubexpert publish --recipe {recipe} --force" in summary
    assert "- nothing built yet" in summary
    assert not HfApi().repo_exists(repo)

    code, output, summary, told = workflow(recipe, "--force")
    assert code == 0, told
    commit = HfApi().model_info(repo).sha
    assert output["commit-url"] == f"{os.environ['HF_ENDPOINT']}/{repo}/commit/{commit}"
    assert (output["changed"], output["compared"], output["pr-url"]) == ("true", "nothing-published", "")
    lock = json.loads(Path(hf_hub_download(repo, "hubexpert.lock")).read_text())
    assert output["verdict"] == lock["report"]["verdict"]
    assert f"- {repo}: not published yet" in summary.replace("\\", "")
    assert "| routed |" in summary.replace("`", "")
    assert f"/{repo}/blob/{commit}/figures/" in summary

    # another machine, which has the repository and no lock
    (recipe.parent / "hubexpert.lock").unlink()
    code, output, summary, told = workflow(recipe, "--force")
    assert (code, output["changed"], output["commit-url"]) == (0, "false", ""), told
    assert "hubexpert: fresh" in summary
    assert HfApi().model_info(repo).sha == commit

    # another one, whose repository holds a lock that is older than what was published since
    old = json.loads((recipe.parent / "hubexpert.lock").read_text())
    (recipe.parent / "hubexpert.lock").write_text(json.dumps({**old, "digests": {**old["digests"], "shots": "0"}}))
    code, output, summary, told = workflow(recipe, "--force")
    assert (code, output["changed"]) == (0, "false"), told
    assert "hubexpert: fresh" in summary
    assert json.loads((recipe.parent / "hubexpert.lock").read_text()) == old

    # one that looks for new adapters: there is none, then there is one
    code, output, summary, told = workflow(recipe, "--force", "--discover")
    assert (code, output["changed"]) == (0, "false"), told
    assert "hubexpert: fresh" in summary
    HfApi().upload_folder(repo_id=newcomer, folder_path=tiny.lora(tmp_path / "newcomer", seed=11))
    code, output, summary, told = workflow(recipe, "--force", "--discover", "--publish", "none")
    assert (code, output["changed"], output["commit-url"]) == (0, "true", ""), told
    assert f"1 new adapter of the base is accepted: {newcomer}" in summary.replace("\\", "")
    assert HfApi().model_info(repo).sha == commit

    # a change that is proposed: what would be done is told, nothing is
    write_jsonl(recipe.parent / "kshot/train.jsonl", rows(17))
    code, output, summary, told = workflow(recipe, "check")
    assert (code, output["changed"]) == (0, "false"), told
    assert "the shots changed" in summary
    assert "on 17 shots" in summary
    assert HfApi().model_info(repo).sha == commit

    # and merged: to be seen by someone before it goes to main
    code, output, summary, told = workflow(recipe, "--force", "--publish", "pr")
    assert code == 0, told
    assert output["pr-url"] == f"{os.environ['HF_ENDPOINT']}/{repo}/discussions/1"
    assert output["pr-url"] in summary
    assert "hubexpert: rebuilt and proposed" in summary
    assert (output["changed"], output["commit-url"]) == ("true", "")
    assert HfApi().model_info(repo).sha == commit
    code, output, summary, told = workflow(recipe, "--force", "--publish", "pr")
    assert (code, output["changed"]) == (0, "false"), told
    assert output["pr-url"].endswith("/discussions/1")

    # a rebuild that is worse stays here, whatever is forced
    told = yaml.safe_load(recipe.read_text())
    recipe.write_text(yaml.safe_dump({**told, **POOR}))
    code, output, summary, told = workflow(recipe, "--force")
    assert (code, output["compared"], output["changed"]) == (1, "worse", "false"), told
    assert "is worse than what" in summary
    assert HfApi().model_info(repo).sha == commit


def test_contradicting_shots_stop_it_before_anything_is_trained(
    project: Callable[..., Path], workflow: Callable[..., Any]
) -> None:
    recipe = project()
    write_jsonl(recipe.parent / "kshot/train.jsonl", [*rows(6), {**rows(1)[0], "output": "right"}])
    for command in ("check", "rebuild"):
        code, output, summary, told = workflow(recipe, command)
        assert (code, output["changed"], output["verdict"]) == (1, "false", ""), told
        assert "hubexpert: failed" in summary
        assert "**error**" in summary
    assert not (recipe.parent / "hubexpert.lock").exists()


def test_a_check_uses_no_token_even_where_the_machine_holds_one(
    project: Callable[..., Path], workflow: Callable[..., Any], tmp_path: Path, token: str
) -> None:
    """What is published is private, and broken: whoever may see it says so."""
    recipe, repo = project(), f"tester/{tmp_path.name}-project"
    HfApi().create_repo(repo, private=True)
    HfApi().upload_file(path_or_fileobj=b"{}", path_in_repo="hubexpert.lock", repo_id=repo)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/token").write_text(token)
    code, _, summary, told = workflow(
        recipe, "check", HF_HOME=str(tmp_path / "home"), HF_TOKEN=token, HUGGING_FACE_HUB_TOKEN=token
    )
    assert code == 0, told
    assert "nothing built yet" in summary
    code, _, summary, told = workflow(recipe, "rebuild", HF_HOME=str(tmp_path / "home"), HF_TOKEN="")
    assert code == 1
    assert "hubexpert.lock is damaged" in summary


def test_another_repository_may_be_named_for_all_that_is_asked_of_the_hub(
    project: Callable[..., Path], workflow: Callable[..., Any], store: Any, tmp_path: Path
) -> None:
    """The published lock is looked for there; the recipe is as it was."""
    recipe = project()
    before = recipe.read_text()
    (tmp_path / "published").mkdir()
    (tmp_path / "published/hubexpert.lock").write_text("{}")
    store.add_folder("tester/named-by-the-workflow", tmp_path / "published")
    code, _, summary, told = workflow(recipe, "check", "--repo", "tester/named-by-the-workflow")
    assert code == 1
    assert "hubexpert.lock is damaged" in told
    assert "hubexpert.lock is damaged" in summary
    assert recipe.read_text() == before
    assert list(recipe.parent.glob(".*.yaml")) == []


def test_a_rebuild_ends_before_its_job_does_and_says_so(
    project: Callable[..., Path], workflow: Callable[..., Any]
) -> None:
    """A job that GitHub ends keeps no cache: the next one would begin anew, and never come to an end."""
    code, output, summary, told = workflow(project(), "rebuild", "--stop-after", "1s")
    assert (code, output["changed"]) == (1, "false"), told
    assert "Stopped after 1 s" in told
    assert "Stopped after 1 s" in summary
    assert "run it again" in summary


def test_a_pull_request_to_a_repository_that_is_not_there_is_refused_before_anything_is_trained(
    project: Callable[..., Path], workflow: Callable[..., Any]
) -> None:
    recipe = project()
    code, _, summary, told = workflow(recipe, "rebuild", "--publish", "pr", "--stop-after", "1s")
    assert code == 1
    assert "does not exist" in summary, told
    assert not (recipe.parent / ".hubexpert").exists()


def test_a_check_goes_by_what_is_published_not_by_an_older_lock_in_the_repository(
    project: Callable[..., Path], workflow: Callable[..., Any], store: Any, tmp_path: Path
) -> None:
    """Else every pull request would be told that the shots changed since someone committed a lock."""
    recipe = project()
    wanted = read_recipe(recipe)
    found = {name: digest(getattr(read_task(wanted, recipe.parent), name)) for name in ("shots", "test")}
    lock = a_lock().model_copy(update={"recipe": wanted.model_dump(mode="json"), "digests": found})
    write_lock(tmp_path / "published/hubexpert.lock", lock)
    store.add_folder(str(wanted.publish.repo), tmp_path / "published")
    write_lock(recipe.parent / "hubexpert.lock", lock.model_copy(update={"digests": {**found, "shots": "0"}}))
    code, _, summary, told = workflow(recipe, "check")
    assert code == 0, told
    assert "nothing changes that the expert was built from" in summary


def test_a_published_lock_that_may_not_be_read_is_not_taken_for_none(
    project: Callable[..., Path], workflow: Callable[..., Any], tmp_path: Path
) -> None:
    """Where it is gated and the token has no access, each run would build all of it anew."""
    recipe, repo = project(), f"tester/{tmp_path.name}-project"
    HfApi().create_repo(repo)
    HfApi().upload_file(path_or_fileobj=b"{}", path_in_repo="hubexpert.lock", repo_id=repo)
    HfApi().update_repo_settings(repo, gated="manual")
    code, _, summary, _ = workflow(recipe, "rebuild", HF_TOKEN=READ_TOKEN)
    assert code == 1
    assert "is gated and you have no access" in summary
    assert not (recipe.parent / "hubexpert.lock").exists()


def test_what_strangers_text_says_is_no_command_to_github(
    project: Callable[..., Path], workflow: Callable[..., Any]
) -> None:
    """All that the commands tell stands between GitHub's `stop-commands` and its end, under a name nobody can guess."""
    recipe = project(task={"shots": "kshot/none.jsonl"})
    code, _, summary, told = workflow(recipe, "check", GITHUB_ACTIONS="true")
    first, *middle, last = told.splitlines()
    assert first.startswith("::stop-commands::")
    assert last == f"::{first.removeprefix('::stop-commands::')}::"
    assert len(last) > 30
    assert any(line.startswith("Error: ") for line in middle)
    assert code == 1
    assert "There is no examples file" in summary


def test_what_a_recipe_says_is_no_command_either(workflow: Callable[..., Any], tmp_path: Path) -> None:
    """A key of it is told in the error, which stands on the page, too."""
    recipe = tmp_path / "hubexpert.yaml"
    recipe.write_text('base: gpt2\n"x\\n::warning::mine": 1\ntask: {name: t, shots: s.jsonl}\n')
    code, output, summary, told = workflow(recipe, "check", GITHUB_ACTIONS="true")
    first, *middle, last = told.splitlines()
    assert last == f"::{first.removeprefix('::stop-commands::')}::"
    assert "::warning::mine`." in middle
    assert (code, output["changed"]) == (1, "false")
    assert "has an unknown key" in summary
    recipe.unlink()
    assert f"Fix: hubexpert init --recipe {recipe} " in workflow(recipe, "check")[3]


def test_strangers_text_is_shown_as_it_is(tmp_path: Path) -> None:
    hostile = "<img src=x onerror=y> ![a](https://b.c) | ``` @team"
    finding = {
        "severity": "error",
        "code": "leak",
        "file": hostile,
        "lines": [1, 2],
        "sentence": hostile,
        "fix": hostile,
    }
    outcome = Outcome("failed", reasons=(hostile,), findings=(finding,), trouble=f"```\n{hostile}")
    text = summary(outcome, tmp_path / "hubexpert.yaml", endpoint=HUB)
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    assert page.count("onerror") == 5
    assert "<img" not in page
    assert "<a " not in page


def test_a_hub_that_cannot_be_reached_is_told_on_the_page(
    project: Callable[..., Path], workflow: Callable[..., Any]
) -> None:
    code, output, summary, told = workflow(project(), "rebuild", HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert (code, output["changed"]) == (1, "false"), told
    assert "hubexpert: failed" in summary
    assert "Fix: " in summary


def test_a_workflows_identity_can_start_no_job(project: Callable[..., Path], workflow: Callable[..., Any]) -> None:
    github = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://example.org", "HF_TOKEN": ""}
    code, _, _, told = workflow(project(), "rebuild", "--on", "hf-jobs", **github)
    assert code == 1
    assert "own identity can start no job" in told


def test_the_workflows_identity_is_used_where_there_is_no_token() -> None:
    github = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://example.org"}
    assert with_identity(github, "me/expert") == {"HF_OIDC_RESOURCE": "me/expert"}
    assert with_identity({**github, "HF_TOKEN": "hf_x"}, "me/expert") == {}
    assert with_identity({**github, "HUGGING_FACE_HUB_TOKEN": "hf_x"}, "me/expert") == {}
    assert with_identity({**github, "HF_OIDC_RESOURCE": "me/other"}, "me/expert") == {}
    assert with_identity({"HF_TOKEN": ""}, "me/expert") == {}
