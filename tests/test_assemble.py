"""The folder to publish, and the command that assembles it from the lock."""

from pathlib import Path

import pytest

from hubexpert.assemble import assemble
from hubexpert.errors import HubExpertError
from hubexpert.hub.changes import GENERATED
from hubexpert.lock import locked_recipe, read_lock, write_lock
from hubexpert.recipe import read_recipe
from tests.commands import run
from tests.locks import a_build_folder, a_lock

REPO = "tester/science-expert"
FIGURES = ("comparison.png", "contributions.png", "pool.png", "shares.png")


def test_assembling_copies_what_was_measured_and_nothing_else(tmp_path: Path) -> None:
    build = a_build_folder(tmp_path / "build")
    (build / "optimizer.pt").write_bytes(b"not published")
    assemble(a_lock(), build, tmp_path / "target", repo=REPO)
    names = {path.relative_to(tmp_path / "target").as_posix() for path in (tmp_path / "target").rglob("*.*")}
    weights = {"adapter_config.json", "adapter_model.safetensors", "router.safetensors"}
    assert names == {"README.md", "hubexpert.lock", *weights, *(f"figures/{name}" for name in FIGURES)}
    assert read_lock(tmp_path / "target" / "hubexpert.lock") == a_lock()


def test_what_publishing_may_delete_is_exactly_what_is_generated(tmp_path: Path) -> None:
    assemble(a_lock(), a_build_folder(tmp_path / "build"), tmp_path / "target", repo=REPO)
    names = {path.relative_to(tmp_path / "target").as_posix() for path in (tmp_path / "target").rglob("*.*")}
    assert set(GENERATED) == names - {"README.md", "hubexpert.lock"} | {"knowledge.json"}


def test_assembling_refuses_files_that_were_not_measured(tmp_path: Path) -> None:
    build = a_build_folder(tmp_path / "build")
    (build / "router.safetensors").write_bytes(b"other gates")
    with pytest.raises(HubExpertError, match=r"router.safetensors is not the file that was measured"):
        assemble(a_lock(), build, tmp_path / "target", repo=REPO)
    (build / "router.safetensors").unlink()
    with pytest.raises(HubExpertError, match=r"router.safetensors is missing"):
        assemble(a_lock(), build, tmp_path / "target", repo=REPO)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a recipe and a lock; the build lies in the workspace."""
    recipe = (
        "base: acme/base-135m\ntask: {name: science-qa, shots: shots.jsonl}\npublish: {repo: tester/science-expert}\n"
    )
    (tmp_path / "hubexpert.yaml").write_text(recipe)
    write_lock(tmp_path / "hubexpert.lock", a_lock())
    a_build_folder(tmp_path / ".hubexpert" / "build")
    return tmp_path


def card_command(project: Path, *options: str) -> int:
    """The exit code of `hubexpert card` there."""
    return run("card", "--recipe", str(project / "hubexpert.yaml"), *options)


def test_the_command_assembles_the_folder_and_says_where(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert card_command(project) == 0
    folder = project / ".hubexpert" / "publish"
    assert capsys.readouterr().out == f"{folder / 'README.md'}\n"
    assert (folder / "router.safetensors").is_file()


def test_the_command_needs_only_the_lock_and_says_what_is_missing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (project / ".hubexpert" / "build").iterdir():
        file.unlink()
    assert card_command(project) == 0
    assert "weights are not here" in capsys.readouterr().err
    names = {path.name for path in (project / ".hubexpert" / "publish").iterdir()}
    assert names == {"README.md", "figures", "hubexpert.lock"}


def test_weights_that_were_assembled_before_outlive_the_build(project: Path) -> None:
    assert card_command(project) == 0
    for file in (project / ".hubexpert" / "build").iterdir():
        file.unlink()
    assert card_command(project) == 0
    assert (project / ".hubexpert" / "publish" / "adapter_model.safetensors").is_file()


def test_without_a_lock_the_command_says_what_to_do(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "hubexpert.lock").unlink()
    assert card_command(project) == 1
    assert capsys.readouterr().err.endswith(f"Fix: hubexpert run --recipe {project / 'hubexpert.yaml'}\n")


def test_quiet_still_says_where_the_card_is(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert card_command(project, "--quiet") == 0
    assert capsys.readouterr() == (f"{project / '.hubexpert' / 'publish' / 'README.md'}\n", "")


def test_a_lock_of_an_older_recipe_is_told_and_no_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = project / "hubexpert.yaml"
    write_lock(project / "hubexpert.lock", a_lock(recipe=locked_recipe(read_recipe(recipe))))
    assert card_command(project) == 0
    assert "older recipe" not in capsys.readouterr().err
    recipe.write_text(recipe.read_text() + "seed: 7\n")
    assert card_command(project) == 0
    assert "The lock is of an older recipe (since changed: seed): hubexpert run" in capsys.readouterr().err
