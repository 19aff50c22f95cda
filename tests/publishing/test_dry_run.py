"""A dry run: what would change on the Hub, file by file and line by line, with nothing sent."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from hubexpert.cli.output import Out
from hubexpert.localhub import Store
from hubexpert.preview import DIFF_LINES, diff_of
from tests.commands import run
from tests.discover.faults import faulty_hub
from tests.locks import a_lock, a_report
from tests.publishing.making import a_project, ended, start


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A recipe whose mixture is published, and has been measured anew since; beside it lie files of others."""
    repo = f"tester/{tmp_path.name}"
    recipe = a_project(tmp_path / "old", repo)
    assert run("publish", "--recipe", str(recipe), "--quiet") == 0
    for name in ("notes.md", "figures/mine.png"):
        HfApi().upload_file(path_or_fileobj=b"mine", path_in_repo=name, repo_id=repo)
    report = a_report().model_copy(update={"removed": 7})
    return a_project(tmp_path / "new", repo, a_lock(report=report))


def test_it_compares_file_by_file_and_shows_how_the_texts_change(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run("publish", "--recipe", str(published), "--dry-run", "--json") == 0
    *files, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {each["file"]: each for each in files}
    assert told["hubexpert.lock"]["change"] == "changed"
    assert told["adapter_model.safetensors"] == {
        "file": "adapter_model.safetensors", "change": "same", "here": 24, "there": 24,
    }  # fmt: skip
    assert not {"notes.md", "figures/mine.png", ".gitattributes"} & set(told)
    assert set(last) == {"url", "commit", "changed"}
    assert (last["commit"], last["changed"]) == ("", False)

    assert run("publish", "--recipe", str(published), "--dry-run") == 0
    printed = capsys.readouterr()
    assert '-  "removed": 2,' in printed.out
    assert '+  "removed": 7,' in printed.out
    assert "--- published/hubexpert.lock\n+++ new/hubexpert.lock\n" in printed.out
    assert "\x1b" not in printed.out
    size = told["hubexpert.lock"]["here"] + told["README.md"]["here"] * (told["README.md"]["change"] == "changed")
    assert f"To upload: {size / 1000:.1f} kB" in printed.out
    assert "nothing was sent" in printed.err


def test_generated_files_that_are_gone_are_told_as_deleted(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"adapter_config.json": b'{"peft_type": "LORA"}', "adapter_model.safetensors": b"other weights"}
    repo = f"tester/{published.parent.parent.name}"
    for name in ("knowledge.json", "reranker/model.safetensors"):
        HfApi().upload_file(path_or_fileobj=b"finds passages", path_in_repo=name, repo_id=repo)
    single = a_project(published.parent.parent / "single", repo, files=files)
    capsys.readouterr()
    assert run("publish", "--recipe", str(single), "--dry-run", "--json") == 0
    told = {each.get("file"): each for each in map(json.loads, capsys.readouterr().out.splitlines())}
    assert told["router.safetensors"] == {"file": "router.safetensors", "change": "deleted", "here": None, "there": 5}
    deleted = {name for name, change in told.items() if change.get("change") == "deleted"}
    assert deleted == {"router.safetensors", "knowledge.json", "reranker/model.safetensors"}
    assert (told["adapter_model.safetensors"]["here"], told["adapter_model.safetensors"]["there"]) == (13, 24)


def test_it_only_reads_and_needs_no_token_for_what_is_public(published: Path, endpoint: str) -> None:
    with faulty_hub(endpoint) as (address, seen):
        code, out, err = ended(start(published, "--dry-run", HF_ENDPOINT=address, HF_TOKEN=""))
    assert code == 0, err
    assert '+  "removed": 7,' in out
    assert {method for method, _ in seen} <= {"GET", "HEAD"}
    assert seen


def test_a_repository_that_is_missing_is_all_new(tmp_path: Path, endpoint: str) -> None:
    recipe = a_project(tmp_path, "tester/not-there-yet")
    with faulty_hub(endpoint) as (address, seen):
        code, out, err = ended(start(recipe, "--dry-run", "--json", HF_ENDPOINT=address, HF_TOKEN=""))
    assert code == 0, err
    changes = {json.loads(line).get("change") for line in out.splitlines()}
    assert changes == {"added", None}
    assert {method for method, _ in seen} == {"GET"}
    assert not HfApi().repo_exists("tester/not-there-yet")


def test_a_branch_is_compared_with_itself_and_a_missing_one_with_main(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def changes(*options: str) -> set[str]:
        capsys.readouterr()
        assert run("publish", "--recipe", str(published), "--dry-run", "--json", *options) == 0
        return {json.loads(line).get("change") for line in capsys.readouterr().out.splitlines()}

    assert "changed" in changes("--revision", "next")
    assert run("publish", "--recipe", str(published), "--revision", "next", "--quiet") == 0
    assert changes("--revision", "next") == {"same", None}
    assert "changed" in changes()


def test_a_pull_request_on_a_missing_repository_is_refused_in_a_dry_run_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = a_project(tmp_path, "tester/never-there")
    for option in ((), ("--dry-run",)):
        assert run("publish", "--recipe", str(recipe), "--create-pr", *option) == 1
        assert "publish without --create-pr first" in capsys.readouterr().err


def test_what_others_wrote_into_the_card_cannot_drive_the_terminal(
    published: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = published.parent.parent / "theirs"
    theirs.mkdir()
    (theirs / "README.md").write_text("# Theirs\n\x1b[2Jwiped\u202e\n")
    store.add_folder(f"tester/{published.parent.parent.name}", theirs)
    capsys.readouterr()
    assert run("publish", "--recipe", str(published), "--dry-run") == 0
    out = capsys.readouterr().out
    assert "-\ufffd[2Jwiped\ufffd\n" in out
    assert "\x1b" not in out
    assert f"… and {out.split('… and ')[1].split(' ')[0]} more lines of README.md" in out


def test_a_diff_is_cut_and_what_is_left_out_is_counted() -> None:
    there, here = [f"a{i}" for i in range(300)], [f"b{i}" for i in range(300)]
    diff = diff_of("README.md", there, here)
    assert (len(diff.lines), diff.more) == (DIFF_LINES, 603 - DIFF_LINES)
    assert diff_of("README.md", here, here).lines == ()


def test_a_diff_has_colours_on_a_terminal_alone(capsys: pytest.CaptureFixture[str]) -> None:
    script = "from hubexpert.cli.output import Out; Out().diff(['@@ -1 +1 @@', '-a', '+b', ' c'])"
    reader, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", script], stdout=terminal, env=environment, check=True, timeout=60)
    os.close(terminal)
    shown = os.read(reader, 10_000).decode()
    os.close(reader)
    assert "\x1b[31m-a" in shown
    assert "\x1b[32m+b" in shown
    Out().diff(["@@ -1 +1 @@", "-" + "a" * 300])
    assert capsys.readouterr().out == "@@ -1 +1 @@\n-" + "a" * 300 + "\n"
