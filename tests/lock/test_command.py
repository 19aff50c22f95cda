"""`hubexpert lock`: in short, and in forms for other tools; without torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hubexpert.bom import cyclonedx
from hubexpert.lock import digest_of, render_lock, write_lock
from tests.commands import run
from tests.lock.test_canonical import WHOLE
from tests.locks import CHOSEN, a_lock, source


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    """Where the recipe would be; beside it the lock."""
    write_lock(tmp_path / "hubexpert.lock", WHOLE)
    return str(tmp_path / "hubexpert.yaml")


def test_in_short(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What it is made of, at which commits, under which licences; the verdict; the digests."""
    assert run("lock", "--recipe", recipe) == 0
    told = capsys.readouterr().out
    lines = [line.split() for line in told.splitlines()]
    assert ["base", "acme/base-135m", WHOLE.base.revision, "apache-2.0"] in lines
    assert ["expert", CHOSEN[0], source(CHOSEN[0]).revision, "apache-2.0"] in lines
    assert ["dataset", "./rows.jsonl", source("./rows.jsonl").revision, "none", "given"] in lines
    assert f"ship: {WHOLE.report.sentence}" in told
    assert ["lock", "sha256", digest_of(WHOLE)] in lines and ["data", "sha256", "ef" * 32] in lines


def test_an_object_a_part(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lock", "--recipe", recipe, "--json") == 0
    *parts, facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [part["role"] for part in parts] == ["base", *["expert"] * 3, *["dataset"] * 3]
    assert set(parts[0]) == {"role", "repo", "revision", "license"}
    assert (facts["verdict"], facts["version"]) == ("ship", 2)
    assert set(facts["digests"]) == {"lock", "shots", "test", "data"}


def test_forms_for_other_tools_are_written_byte_for_byte(
    recipe: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for form, text in (("json", render_lock(WHOLE)), ("cyclonedx", cyclonedx(WHOLE))):
        assert run("lock", "--recipe", recipe, "--format", form) == 0
        assert capfdbinary.readouterr().out == text.encode()
        assert run("lock", "--recipe", recipe, "--format", form, "--output", str(tmp_path / form), "--json") == 0
        assert (tmp_path / form).read_bytes() == text.encode()
        assert json.loads(capfdbinary.readouterr().out) == {"file": str(tmp_path / form)}


def test_a_file_needs_a_form(recipe: str, tmp_path: Path) -> None:
    assert run("lock", "--recipe", recipe, "--output", str(tmp_path / "it")) == 2


def test_names_of_strangers_move_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lock(tmp_path / "hubexpert.lock", a_lock(base=source("evil\x1b[2J/x", "mit\u202e")))
    assert run("lock", "--recipe", str(tmp_path / "hubexpert.yaml")) == 0
    assert not {"\x1b", "\u202e"} & set(capsys.readouterr().out)


def test_without_the_library_the_bill_says_what_to_install_and_all_else_works(recipe: str) -> None:
    """Neither needs anything of the heavy half."""
    missing = "import sys\nfor name in ('torch', 'transformers', 'peft', 'cyclonedx', 'packageurl'):\n"
    script = f"{missing}    sys.modules[name] = None\nfrom hubexpert.cli.main import main\nmain(sys.argv[1:])"
    command = [sys.executable, "-c", script, "lock", "--recipe", recipe]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "acme/base-135m" in done.stdout
    done = subprocess.run([*command, "--format", "cyclonedx"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: This command needs cyclonedx")
    assert done.stderr.endswith("Fix: pip install 'hubexpert[bom]'\n")


def test_without_a_lock_the_run_that_writes_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lock", "--recipe", str(tmp_path / "hubexpert.yaml")) == 1
    assert "Fix: hubexpert run" in capsys.readouterr().err
