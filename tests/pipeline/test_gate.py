"""The gate: a rebuild against what is published, on the same held-out rows; `publish` obeys."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from hubexpert import pipeline
from hubexpert.errors import HubExpertError
from hubexpert.localhub import Store
from hubexpert.lock import digest_of, read_lock, write_lock
from hubexpert.publish import COMPARED
from hubexpert.records import Compared
from hubexpert.workspace import Workspace
from tests import tiny
from tests.commands import run

SMALL: dict[str, Any] = {"experts": {"candidates": 2, "count": 2}, "evaluate": {"contributions": 0}}
GOOD = {**SMALL, "discover": {"include": ["tester/solver", "tester/other-one"], "limit": 2}}
POOR = {  # without the adapter that solves the task, and hardly trained
    **SMALL,
    "discover": {"include": ["tester/other-one", "tester/other-two"], "exclude": ["tester/solver"], "limit": 2},
    "train": {"epochs": 1, "learning_rate": 1e-7, "folds": 0, "shared_rank": 4},
}


def shipped(recipe: Path) -> None:
    """Let the lock say `ship`, so that only the comparison can speak against publishing."""
    workspace, path = Workspace(recipe.parent / ".hubexpert"), recipe.parent / "hubexpert.lock"
    lock = read_lock(path)
    lock = lock.model_copy(update={"report": lock.report.model_copy(update={"verdict": "ship"})})
    write_lock(path, lock)
    assert run("card", "--recipe", str(recipe), "--quiet") == 0
    found = workspace.stored(COMPARED, Compared)
    if found:
        workspace.write(COMPARED, "", found.model_copy(update={"lock": digest_of(lock)}))


def compared(recipe: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `run --compare published --json` tells last."""
    capsys.readouterr()
    assert run("run", "--recipe", str(recipe), "--compare", "published", "--json", "--quiet") == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last.keys() == {"verdict", "lock", "card", "compared"}
    return dict(last["compared"])


def test_a_worse_rebuild_is_refused_and_a_better_one_passes(
    project: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """First a poor one is published, then replaced by a better one, then the poor one is tried again."""
    poor, good = project("poor", **POOR), project("good", **GOOD)
    repo = "tester/test_gate_expert"
    for recipe in (poor, good):
        recipe.write_text(recipe.read_text().replace(f"tester/{recipe.parent.parent.name}-{recipe.parent.name}", repo))
    first = compared(poor, capsys)
    assert (first["outcome"], first["published"], first["difference"]) == ("nothing-published", None, None)
    shipped(poor)
    assert run("publish", "--recipe", str(poor), "--quiet") == 0

    better = compared(good, capsys)
    assert better["outcome"] == "better"
    assert 0 < better["low"] <= better["difference"] <= better["high"]
    assert better["n"] == 60 and better["p"] < 0.05
    assert better["published"] == f"{repo}@{HfApi().model_info(repo).sha}"
    shipped(good)
    assert run("publish", "--recipe", str(good), "--quiet") == 0

    assert run("run", "--recipe", str(poor), "--compare", "published", "--quiet") == 0
    assert (
        "Against what is published: worse. It is worse than what tester/test_gate_expert holds: "
        in capsys.readouterr().out
    )
    worse = Workspace(poor.parent / ".hubexpert").stored(COMPARED, Compared)
    assert worse is not None and worse.difference == pytest.approx(-better["difference"])
    assert worse.high is not None and worse.high < 0
    shipped(poor)
    head = HfApi().model_info(repo).sha
    for options in ((), ("--dry-run",)):
        assert run("publish", "--recipe", str(poor), *options) == 1
        told = capsys.readouterr().err
        assert worse.sentence in told and "--force" in told
    assert HfApi().model_info(repo).sha == head
    assert run("publish", "--recipe", str(poor), "--force", "--quiet") == 0
    assert HfApi().model_info(repo).sha != head


def test_of_another_lock_the_comparison_says_nothing() -> None:
    from hubexpert.publish import _check_worth
    from tests.locks import a_lock

    lock = a_lock()
    stale = Compared(lock="0" * 64, outcome="worse", sentence="It is worse.")
    _check_worth(lock, stale)
    with pytest.raises(HubExpertError, match="It is worse"):
        _check_worth(lock, stale.model_copy(update={"lock": digest_of(lock)}))


def test_a_second_comparison_measures_nothing_and_what_cannot_be_compared_is_told(
    project: Callable[..., Path], store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is known without held-out examples or on another base; a tampered repository is not loaded."""
    recipe = project("same", **GOOD)
    lock = pipeline.run(pipeline.open_project(recipe, quiet=True))
    repo = lock.recipe["publish"]["repo"]
    assert run("publish", "--recipe", str(recipe), "--force", "--quiet") == 0
    same = compared(recipe, capsys)
    assert (same["outcome"], same["difference"], same["p"]) == ("not-worse", 0, 1)

    journal = Workspace(recipe.parent / ".hubexpert").journal("evaluation").path
    lines = journal.read_text().splitlines()
    (recipe.parent / ".hubexpert" / f"{COMPARED}.json").unlink()  # killed after measuring
    assert compared(recipe, capsys) == same
    assert journal.read_text().splitlines() == lines

    named = recipe.read_text()
    store.add_folder("tester/test_gate_other_base", tiny.save_base(tmp_path / "base"))
    for before, after, why in (
        ("  test: kshot/test.jsonl\n", "", "without held-out examples"),
        (f"base: {tiny.BASE}\n", "base: tester/test_gate_other_base\n", f"stands on another base, {tiny.BASE}"),
    ):
        recipe.write_text(named.replace(before, after))
        found = pipeline.compared(pipeline.open_project(recipe, quiet=True), lock)
        assert (found.outcome, found.n, found.difference) == ("unknown", 0, None)
        assert why in found.sentence
    recipe.write_text(named)

    HfApi().upload_file(path_or_fileobj=b"{}", path_in_repo="adapter_config.json", repo_id=repo)
    assert run("run", "--recipe", str(recipe), "--compare", "published", "--quiet") == 1
    told = capsys.readouterr().err
    assert f"{repo} is not what its lock says, so it is not loaded (file adapter_config.json" in told


def test_a_comparison_needs_a_repository_and_that_is_told_at_the_start(
    project: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    ownerless = "names no owner and repository"
    for repo, why in ((None, "names nothing published"), ("tester", ownerless), ("me/my expert", ownerless)):
        recipe = project("none", **GOOD, publish={"repo": repo})
        assert run("run", "--recipe", str(recipe), "--compare", "published") == 1
        assert why in capsys.readouterr().err
        assert not (recipe.parent / ".hubexpert").exists()
