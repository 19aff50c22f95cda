"""Fresh or stale, and why: against a real Hub over HTTP."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from hubexpert.assemble import assemble
from hubexpert.discover.aliases import canonical_base
from hubexpert.errors import HubExpertError
from hubexpert.hub import look, resolve
from hubexpert.knowledge.sources import pinned
from hubexpert.localhub import Store
from hubexpert.lock import Lock, locked_discovery, locked_recipe, read_lock, write_lock
from hubexpert.publish import Wish, publish
from hubexpert.recipe import read_recipe
from hubexpert.records import DatasetUse
from hubexpert.rows.local import local_dataset
from hubexpert.shots import digest, read_task
from hubexpert.status import status
from tests.commands import run
from tests.locks import POOL, a_build_folder, a_data, a_discovery, a_kard, a_lock, source

SHOTS = '{"input": "2+2", "output": "4"}\n{"input": "3+3", "output": "6"}\n'
TEST = '{"input": "5+5", "output": "10"}\n'


def upload(store: Store, repo: str, license_id: str = "apache-2.0", note: str = "") -> str:
    """Make `repo` hold a card with that licence, by one commit; its id."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "README.md").write_text(f"---\nlicense: {license_id}\n---\n{note}\n")
        return store.add_folder(repo, Path(folder))


@pytest.fixture
def names(request: pytest.FixtureRequest) -> list[str]:
    """A base and three adapters, of this test alone."""
    prefix = f"tester/{abs(hash(request.node.name)) % 10**8}"
    return [f"{prefix}-{name}" for name in ("base", "one", "two", "three")]


@pytest.fixture
def project(tmp_path: Path, names: list[str], store: Store) -> Path:
    """A recipe with its examples and a lock whose sources exist at their heads; nothing is published yet."""
    for name in names:
        upload(store, name)
    (tmp_path / "shots.jsonl").write_text(SHOTS)
    (tmp_path / "test.jsonl").write_text(TEST)
    text = f"base: {names[0]}\ntask: {{name: sums, shots: shots.jsonl, test: test.jsonl}}\n"
    (tmp_path / "hubexpert.yaml").write_text(text)
    lock_it(tmp_path, names)
    return tmp_path


def lock_it(project: Path, names: list[str]) -> None:
    """Write a lock of the recipe there: the base as a run resolves it, the adapters as discovery lists them."""
    recipe = read_recipe(project / "hubexpert.yaml")
    task = read_task(recipe, project)
    repo, revision = canonical_base(recipe.base)
    wanted = dict(entry.split("@") for entry in recipe.discover.include)
    base = resolve(repo, revision=revision)
    pool = tuple(look(name, wanted.get(name)).source for name in names[1:])
    lock = a_lock(base=base, pool=pool, recipe=locked_recipe(recipe))
    digests = {"shots": digest(task.shots), "test": digest(task.test)}
    write_lock(project / "hubexpert.lock", lock.model_copy(update={"digests": digests}))


def reasons(project: Path, *, offline: bool = False) -> tuple[str, ...]:
    """Why the project is stale; nothing when it is fresh."""
    found = status(project / "hubexpert.yaml", offline=offline)
    assert (found.state == "fresh") is (found.reasons == ())
    return found.reasons


def set_publish(project: Path, repo: str) -> Lock:
    """Let recipe and lock name `repo` to publish to."""
    recipe, path = project / "hubexpert.yaml", project / "hubexpert.lock"
    recipe.write_text(recipe.read_text() + f"publish: {{repo: {repo}}}\n")
    lock = read_lock(path).model_copy(update={"recipe": locked_recipe(read_recipe(recipe))})
    write_lock(path, lock)
    return lock


def test_what_has_not_moved_is_fresh(project: Path) -> None:
    assert reasons(project) == ()


def test_without_a_lock_nothing_was_built(project: Path) -> None:
    (project / "hubexpert.lock").unlink()
    assert reasons(project) == ("nothing built yet",)


def test_changed_keys_of_the_recipe_are_named(project: Path) -> None:
    recipe = project / "hubexpert.yaml"
    recipe.write_text(recipe.read_text() + "train: {epochs: 9}\nseed: 4\n")
    assert reasons(project) == ("the recipe changed: train.epochs, seed",)


def test_a_teacher_that_came_or_went_is_named_and_its_address_is_not(project: Path) -> None:
    """What replies do not depend on changes nothing."""
    recipe, path = project / "hubexpert.yaml", project / "hubexpert.lock"
    bare = recipe.read_text()
    taught = bare + "data: {teacher: {model: m, url: 'http://a/v1'}}\n"
    recipe.write_text(taught)
    assert "data.teacher.model" in reasons(project)[0]
    write_lock(path, read_lock(path).model_copy(update={"recipe": locked_recipe(read_recipe(recipe))}))
    recipe.write_text(taught.replace("http://a/v1'", "http://b/v1', timeout: 9"))
    assert reasons(project) == ()
    recipe.write_text(bare)
    assert "data.teacher.model" in reasons(project)[0]


def test_a_recipe_written_differently_is_the_same(project: Path) -> None:
    recipe = project / "hubexpert.yaml"
    recipe.write_text("# a comment\nseed: 0\n" + recipe.read_text() + "train: {epochs: 5}\n")
    assert reasons(project) == ()


def test_a_base_that_the_recipe_names_without_its_owner_is_not_searched_for_again(project: Path) -> None:
    recipe, path = project / "hubexpert.yaml", project / "hubexpert.lock"
    base = read_recipe(recipe).base
    recipe.write_text(recipe.read_text().replace(f"base: {base}", "base: a-name-that-nothing-has-now"))
    write_lock(path, read_lock(path).model_copy(update={"recipe": locked_recipe(read_recipe(recipe))}))
    assert reasons(project) == ()


def test_changed_examples_are_named(project: Path) -> None:
    (project / "shots.jsonl").write_text(SHOTS.replace("6", "7"))
    (project / "test.jsonl").write_text(TEST * 2)
    assert reasons(project) == ("the shots changed", "the held-out examples changed")


def test_changed_files_of_ones_own_are_named_where_something_was_taken_of_them(
    project: Path, names: list[str], tmp_path: Path
) -> None:
    """Rows and texts, wherever they lie; of what is gone that is said."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    rows, texts, unused = project / "rows.jsonl", elsewhere / "facts.txt", project / "unused.jsonl"
    for file in (rows, texts, unused):
        file.write_text(SHOTS)
    recipe, path = project / "hubexpert.yaml", project / "hubexpert.lock"
    recipe.write_text(f"{recipe.read_text()}data: {{datasets: [rows.jsonl, unused.jsonl], knowledge: '{texts}'}}\n")
    lock_it(project, names)
    use = DatasetUse(
        source=local_dataset("rows.jsonl", project).source,
        taken={"select": 1},
        config="default",
        split="train",
        read=2,
    )
    (told,) = pinned([str(texts)], project)
    kard = a_kard()
    sources = (told.model_copy(update={"repo": "./facts.txt"}),)
    data = a_data().model_copy(update={"datasets": (use,)})
    update = {"data": data, "kard": kard.model_copy(update={"sources": sources})}
    write_lock(path, read_lock(path).model_copy(update=update))
    assert reasons(project) == ()
    for file in (rows, texts, unused):
        file.write_text(TEST)
    assert reasons(project, offline=True) == ("the dataset ./rows.jsonl changed", "the dataset ./facts.txt changed")
    rows.unlink()
    with pytest.raises(HubExpertError, match="There are no rows at"):
        status(recipe)


def test_a_moved_expert_is_named_with_both_commits(project: Path, names: list[str], store: Store) -> None:
    pinned = look(names[1]).source
    upload(store, names[1], note="new weights")
    head = look(names[1]).source
    assert reasons(project) == (f"the expert {names[1]} moved from {pinned.revision[:8]} to {head.revision[:8]}",)


def test_what_the_recipe_pins_never_moves_but_may_vanish(project: Path, names: list[str], store: Store) -> None:
    pins = {name: look(name).source.revision for name in names[:2]}
    text = f"base: {names[0]}@{pins[names[0]]}\ntask: {{name: sums, shots: shots.jsonl, test: test.jsonl}}\n"
    (project / "hubexpert.yaml").write_text(f"{text}discover: {{include: ['{names[1]}@{pins[names[1]]}']}}\n")
    for name in names[:2]:
        upload(store, name, note="after the pin")
    lock_it(project, names)
    assert reasons(project) == ()
    HfApi().delete_repo(names[1])
    (reason,) = reasons(project)
    assert reason.startswith(f"the expert {names[1]}: ")


def test_a_licence_without_an_id_does_not_change_by_itself(project: Path, names: list[str], store: Store) -> None:
    for name in names[:2]:
        upload(store, name, license_id="other\nlicense_name: House-Rules")
    lock_it(project, names)
    assert reasons(project) == ()
    assert read_lock(project / "hubexpert.lock").base.license == "house-rules"


def test_a_changed_licence_is_named(project: Path, names: list[str], store: Store) -> None:
    upload(store, names[0], license_id="cc-by-nc-4.0")
    moved, changed = reasons(project)
    assert moved.startswith(f"the base {names[0]} moved")
    assert changed == f"the base {names[0]} changed its licence from apache-2.0 to cc-by-nc-4.0"


def test_a_vanished_expert_is_named(project: Path, names: list[str]) -> None:
    HfApi().delete_repo(names[2])
    (reason,) = reasons(project)
    assert reason.startswith(f"the expert {names[2]}: ")
    assert "does not exist" in reason


def test_an_expert_that_became_gated_is_named(
    project: Path, names: list[str], read_token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    HfApi().update_repo_settings(names[3], gated="manual")
    monkeypatch.setenv("HF_TOKEN", read_token)
    (reason,) = reasons(project)
    assert reason.startswith(f"the expert {names[3]}: ")
    assert "gated" in reason


def test_offline_asks_nothing_upstream(project: Path, names: list[str]) -> None:
    HfApi().delete_repo(names[2])
    assert reasons(project, offline=True) == ()


def test_a_local_base_is_not_looked_up_and_that_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "hubexpert.lock"
    lock = read_lock(path)
    write_lock(path, lock.model_copy(update={"base": lock.base.model_copy(update={"repo": "/models/base"})}))
    assert reasons(project) == ()
    assert status_command(project) == 0
    assert "The base is a folder" in capsys.readouterr().err


def test_examples_at_an_absolute_path_are_no_change(project: Path, names: list[str]) -> None:
    recipe = project / "hubexpert.yaml"
    recipe.write_text(recipe.read_text().replace("shots.jsonl", str(project / "shots.jsonl")))
    lock_it(project, names)
    assert str(project) not in (project / "hubexpert.lock").read_text()
    assert reasons(project) == ()


def test_the_published_repository_must_carry_this_lock(project: Path, names: list[str], tmp_path: Path) -> None:
    repo = f"{names[0]}-expert"
    lock = set_publish(project, repo)
    assert reasons(project) == (f"{repo}: not published yet",)
    assemble(lock, a_build_folder(tmp_path / "build"), tmp_path / "out", repo=repo)
    publish(lock, tmp_path / "out", Wish(repo), private=False)
    assert reasons(project) == ()
    write_lock(
        project / "hubexpert.lock", lock.model_copy(update={"build": lock.build.model_copy(update={"packages": {}})})
    )
    assert reasons(project) == (f"{repo} carries another lock: this one is not published yet",)


def test_what_an_older_version_locked_and_published_is_still_fresh(
    project: Path, names: list[str], tmp_path: Path
) -> None:
    """The form of a lock is no fact about the expert."""
    repo = f"{names[0]}-expert"
    lock = set_publish(project, repo)
    assemble(lock, a_build_folder(tmp_path / "build"), tmp_path / "out", repo=repo)
    publish(lock, tmp_path / "out", Wish(repo), private=False)
    path = project / "hubexpert.lock"
    older = path.read_text().replace('"version": 2\n', '"version": 1\n')
    assert older != path.read_text()
    HfApi().upload_file(path_or_fileobj=older.encode(), path_in_repo=path.name, repo_id=repo)
    assert reasons(project) == ()
    path.write_text(older)
    assert reasons(project) == ()


def test_missing_examples_are_an_error(project: Path) -> None:
    (project / "shots.jsonl").unlink()
    with pytest.raises(HubExpertError, match="no examples file"):
        status(project / "hubexpert.yaml")


def status_command(project: Path, *options: str) -> int:
    """The exit code of `hubexpert status` there."""
    return run("status", "--recipe", str(project / "hubexpert.yaml"), *options)


def test_the_command_ends_with_0_3_or_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_command(project, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"state": "fresh", "reasons": []}
    (project / "shots.jsonl").write_text(SHOTS * 2)
    assert status_command(project, "--json") == 3
    assert json.loads(capsys.readouterr().out) == {"state": "stale", "reasons": ["the shots changed"]}
    assert status_command(project) == 3
    assert capsys.readouterr().out == "stale\n- the shots changed\n"
    (project / "shots.jsonl").unlink()
    assert status_command(project, "--json") == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["state"] == "error"
    assert printed.err.startswith("Error: ")


def test_the_offline_switch_of_the_client_is_honoured(project: Path) -> None:
    command = [sys.executable, "-m", "hubexpert", "status", "--recipe", str(project / "hubexpert.yaml")]
    switched = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    ended = subprocess.run(command, env=switched, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "fresh\n")
    assert "were not asked" in ended.stderr


def test_a_hub_that_does_not_answer_us_is_an_error_and_not_fresh(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_command(project) == 0
    capsys.readouterr()
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    assert status_command(project) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Error: The Hub does not accept the token.")


def test_the_lock_keeps_of_a_discovery_only_what_matters_for_the_expert() -> None:
    """Downloads, likes, dates, other adapters and what a search finds change every day, and change nothing here."""
    found = a_discovery(tuple(source(repo) for repo in POOL))
    candidates = tuple(
        c.model_copy(update={"downloads": 9, "likes": 9, "last_modified": "2026-01-01"})
        for c in reversed(found.candidates)
    )
    busy = found.datasets[0].model_copy(
        update={"downloads": 7, "sample": {"input": "x"}, "found_by": ("cited", "search")}
    )
    searched = busy.model_copy(update={"repo": "a/found", "cited_by": (), "found_by": ("search",)})
    later = found.model_copy(
        update={"candidates": candidates, "datasets": (searched, busy), "verdicts": {"accepted": 9, "too-old": 4}}
    )
    assert locked_discovery(later) == locked_discovery(found)
    assert locked_discovery(found).datasets[0].source == found.datasets[0].source
