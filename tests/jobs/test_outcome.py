"""What a job leaves is fetched whole, checked, or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from hubexpert import hub
from hubexpert.assemble import assemble
from hubexpert.errors import HubExpertError
from hubexpert.jobs.command import KEY, REPO, SECONDS
from hubexpert.jobs.outcome import OUTCOME, WORK, Outcome, collect, fetch, is_expected, outcome, restore
from hubexpert.jobs.parcel import pack
from hubexpert.lock import read_lock, write_lock
from hubexpert.workspace import Workspace, file_digest
from tests.locks import a_build_folder, a_lock

HOME = "tester/hubexpert-jobs"


def a_finished_project(folder: Path) -> Path:
    """A project as a run leaves it, with caches and what is of this machine."""
    root, lock = folder / ".hubexpert", a_lock()
    write_lock(folder / "hubexpert.lock", lock)
    assemble(lock, a_build_folder(root / "build"), root / "publish", repo="me/expert")
    for name in ("scores.jsonl", "base.json", "job.json", "checkpoints/a/state.json", "build/optimizer.pt", ".lock"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}\n")
    return folder


def sent(folder: Path, name: str) -> hub.Kept:
    """The folder, as it arrives again from the Hub."""
    hub.keep_folder(HOME, name, folder, message="test")
    kept = hub.kept_folder(HOME, name)
    assert kept is not None
    return kept


def test_lock_results_journals_and_what_is_published_come_back_and_nothing_else(tmp_path: Path) -> None:
    """Caches, checkpoints and pickles stay there; what lay here is replaced."""
    collect(a_finished_project(tmp_path / "there"), tmp_path / "left", 0)
    kept = sent(tmp_path / "left", tmp_path.name)
    here = Workspace(tmp_path / "here/.hubexpert")
    (here.root / "build").mkdir(parents=True)
    (here.root / "build/stale.safetensors").write_text("")
    (here.root / "job.json").write_text("ours")
    lock = fetch(kept, outcome(kept), here, tmp_path / "here/hubexpert.lock")
    assert lock == a_lock() == read_lock(tmp_path / "here/hubexpert.lock")
    found = {path.relative_to(here.root).as_posix() for path in here.root.rglob("*") if path.is_file()}
    published = {path.name for path in (tmp_path / "there/.hubexpert/publish").iterdir() if path.is_file()}
    assert {name for name in found if not name.startswith("publish/")} == {
        *("base.json", "job.json", "scores.jsonl"),
        *(f"build/{name}" for name in ("adapter_config.json", "adapter_model.safetensors", "router.safetensors")),
    }
    assert {name.removeprefix("publish/") for name in found if name.count("/") == 1} >= published
    assert (here.root / "job.json").read_text() == "ours"


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.json",
        "/etc/evil.json",
        "workspace/../evil.json",
        "workspace/build/../../evil.json",
        "workspace/.ssh/evil.json",
        "workspace/checkpoints/evil.json",
        "workspace/build/evil.pt",
        "workspace/evil.py",
        "workspace/job.json",
        "workspace/build/a\n.json",
        "hubexpert.yaml",
    ],
)
def test_names_that_no_run_leaves_are_told_from_those_it_does(name: str) -> None:
    assert not is_expected(name)


def test_a_list_that_names_what_no_run_leaves_is_refused(tmp_path: Path) -> None:
    (tmp_path / OUTCOME).write_text(Outcome(code=0, files={"../../evil.json": "0" * 64}).model_dump_json())
    with pytest.raises(HubExpertError, match="is not what a run leaves"):
        outcome(sent(tmp_path, f"names-{tmp_path.name}"))


@pytest.mark.parametrize(
    ("changed", "listed"),
    [("hubexpert.lock", False), (f"{WORK}/build/router.safetensors", True), (f"{WORK}/scores.jsonl", False)],
)
def test_a_file_that_was_changed_on_its_way_replaces_nothing(tmp_path: Path, changed: str, listed: bool) -> None:
    """Neither where the list tells it, nor, of weights, where the list was changed, too, and the lock tells it."""
    collect(a_finished_project(tmp_path / "there"), tmp_path / "left", 0)
    (tmp_path / "left" / changed).write_bytes(b"{}{}")
    list_ = tmp_path / "left" / OUTCOME
    if listed:
        told = Outcome.model_validate_json(list_.read_bytes())
        files = {**told.files, changed: file_digest(tmp_path / "left" / changed)}
        list_.write_text(told.model_copy(update={"files": files}).model_dump_json())
    kept = sent(tmp_path / "left", tmp_path.name)
    here = Workspace(tmp_path / "here")
    with pytest.raises(HubExpertError, match=r"is damaged|not the file"):
        fetch(kept, outcome(kept), here, tmp_path / "hubexpert.lock")
    assert not list(here.root.iterdir())
    assert not (tmp_path / "hubexpert.lock").exists()


def test_what_an_earlier_job_left_is_put_back_whole_or_not_at_all(tmp_path: Path) -> None:
    """A job that starts afresh begins with nothing."""
    left = tmp_path / "left"
    collect(a_finished_project(tmp_path / "there"), left, 1)
    restore(sent(left, f"whole-{tmp_path.name}"), tmp_path / "whole")
    assert read_lock(tmp_path / "whole/hubexpert.lock") == a_lock()
    assert (tmp_path / "whole/.hubexpert/scores.jsonl").is_file()
    (left / f"{WORK}/scores.jsonl").write_bytes(b"{}{}")
    with pytest.raises(HubExpertError, match="is not the file"):
        restore(sent(left, f"changed-{tmp_path.name}"), tmp_path / "changed")
    assert not (tmp_path / "changed").exists()


def test_a_public_repository_gets_nothing(tmp_path: Path) -> None:
    """Examples would be readable by everyone."""
    HfApi().create_repo("tester/public-jobs", repo_type="dataset", private=False, exist_ok=True)
    (tmp_path / "file.json").write_text("{}")
    with pytest.raises(HubExpertError, match="is public"):
        hub.keep_folder("tester/public-jobs", "x", tmp_path, message="test")
    files = HfApi().list_repo_files("tester/public-jobs", repo_type="dataset")
    assert not [name for name in files if name.startswith("x")]


@pytest.mark.usefixtures("pool")
def test_a_job_near_the_end_of_its_time_keeps_what_it_has(project: Callable[..., Path], tmp_path: Path) -> None:
    """The run is stopped early enough that journals can be sent; it has a fifth of a second, in which none ends."""
    (tmp_path / "parcel").mkdir()
    parcel = pack(project(), tmp_path / "parcel")
    hub.keep_folder(HOME, f"{parcel.key}/in", parcel.folder, message="test")
    job = hub.start_job(
        "tester",
        "near-its-end",
        image="",
        command=["python", "-m", "hubexpert.jobs.there"],
        env={REPO: HOME, KEY: parcel.key, SECONDS: "0.2"},
        secrets={"HF_TOKEN": hub.require_token()},
        flavor="local",
        seconds=100,
    )
    log = list(hub.log_lines("tester", job.id))
    assert "The job's time is nearly over: stopping, and keeping what there is." in log
    kept = hub.kept_folder(HOME, f"{parcel.key}/out")
    assert kept is not None
    assert outcome(kept).code == 143
    assert hub.look_job("tester", job.id).stage == "ERROR"
