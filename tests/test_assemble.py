"""The folder to publish, and the command that assembles it from the lock."""

from pathlib import Path

import pytest

from hubexpert.assemble import assemble
from hubexpert.cli.main import main
from hubexpert.errors import HubExpertError
from hubexpert.lock import read_lock, write_lock
from tests.locks import a_build_folder, a_lock

REPO = "tester/science-expert"
FIGURES = ("comparison.png", "pool.png", "shares.png")


def test_assembling_copies_what_was_measured_and_nothing_else(tmp_path: Path) -> None:
    build = a_build_folder(tmp_path / "build")
    (build / "optimizer.pt").write_bytes(b"not published")
    assemble(a_lock(), build, tmp_path / "target", repo=REPO)
    names = {path.relative_to(tmp_path / "target").as_posix() for path in (tmp_path / "target").rglob("*.*")}
    weights = {"adapter_config.json", "adapter_model.safetensors", "router.safetensors"}
    assert names == {"README.md", "hubexpert.lock", *weights, *(f"figures/{name}" for name in FIGURES)}
    assert read_lock(tmp_path / "target" / "hubexpert.lock") == a_lock()


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


def card_command(project: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["card", "--recipe", str(project / "hubexpert.yaml")])
    assert ended.value.code in (0, None)


def test_the_command_assembles_the_folder_and_says_where(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card_command(project)
    folder = project / ".hubexpert" / "publish"
    assert capsys.readouterr().out == f"{folder / 'README.md'}\n"
    assert (folder / "router.safetensors").is_file()


def test_the_command_needs_only_the_lock_and_says_what_is_missing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (project / ".hubexpert" / "build").iterdir():
        file.unlink()
    card_command(project)
    assert "weights are not here" in capsys.readouterr().err
    names = {path.name for path in (project / ".hubexpert" / "publish").iterdir()}
    assert names == {"README.md", "figures", "hubexpert.lock"}


def test_weights_that_were_assembled_before_outlive_the_build(project: Path) -> None:
    card_command(project)
    for file in (project / ".hubexpert" / "build").iterdir():
        file.unlink()
    card_command(project)
    assert (project / ".hubexpert" / "publish" / "adapter_model.safetensors").is_file()


def test_without_a_lock_the_command_says_what_to_do(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "hubexpert.lock").unlink()
    with pytest.raises(SystemExit) as ended:
        main(["card", "--recipe", str(project / "hubexpert.yaml")])
    assert ended.value.code == 1
    assert capsys.readouterr().err.endswith("Fix: hubexpert run\n")
