"""`hf hubexpert`: what the `hf` command needs of an extension, run by the real `hf`."""

import os
import stat
import subprocess
import sys
import tomllib
import venv
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hubexpert.cli.output import EXTENSION, as_called

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LIMIT = 300  # seconds, that `hf extensions install` gives pip


def registered(home: Path, executable: Path) -> None:
    """What `hf extensions install` leaves behind, written by its own code."""
    from huggingface_hub.cli.extensions import ExtensionManifest

    folder = home / ".local/share/hf/extensions/hf-hubexpert"
    manifest = ExtensionManifest(
        owner="hubexpert",
        repo="hf-hubexpert",
        repo_id="hubexpert/hf-hubexpert",
        short_name="hubexpert",
        executable_path=str(executable),
        type="python",
        installed_at=datetime.now(UTC),
    )
    manifest.save(folder)


def without_path() -> dict[str, str]:
    """The environment, but for where this process finds its modules."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def hf(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**without_path(), "HOME": str(home), "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
    command = [sys.executable, "-c", "from huggingface_hub.cli.hf import main; main()", *arguments]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home where the extension is this source tree, by its entry point."""
    module, _, function = PROJECT["scripts"]["hf-hubexpert"].partition(":")
    script = tmp_path / "hf-hubexpert"
    path = os.pathsep.join(sys.path)
    script.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path[:0] = {path!r}.split({os.pathsep!r})\n"
        f"from {module} import {function}\nsys.exit({function}())\n"
    )
    script.chmod(0o755)
    registered(tmp_path, script)
    return tmp_path


def test_it_is_run_as_hf_hubexpert_and_says_so(home: Path) -> None:
    """The name is free among the commands of `hf`; usage, version, wrong use and fixes call it what the user typed."""
    done = hf(home, "hubexpert", "discover", "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: hf hubexpert discover [OPTIONS]")
    done = hf(home, "hubexpert", "discover", "--no-such-option")
    assert done.returncode == 2
    assert "Try 'hf hubexpert discover --help' for help." in done.stderr
    done = hf(home, "hubexpert", "score")
    assert done.returncode == 1
    assert "Fix: hf hubexpert init --base BASE --shots FILE" in done.stderr


def test_it_does_what_hubexpert_does(home: Path) -> None:
    """The same output and files; hints name commands as they are called."""
    told = {}
    for name, command in (("one", ("hubexpert",)), ("two", ())):
        arguments = ("init", "--base", "a/b", "--shots", "s.jsonl", "--recipe", f"{name}.yaml")
        if command:
            done = hf(home, *command, *arguments)
        else:
            here = [sys.executable, "-m", "hubexpert", *arguments]
            done = subprocess.run(here, cwd=home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        told[name] = done.stderr.splitlines()[-1]
        assert done.stdout == f"{name}.yaml\n"
    assert (home / "one.yaml").read_text() == (home / "two.yaml").read_text()
    assert told == {
        "one": "Next: hf hubexpert discover --recipe one.yaml, then hf hubexpert run --recipe one.yaml",
        "two": "Next: hubexpert discover --recipe two.yaml, then hubexpert run --recipe two.yaml",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hubexpert run", "hf hubexpert run"),
        ("then `hubexpert run`, or hubexpert init -h", "then `hf hubexpert run`, or hf hubexpert init -h"),
        ("pip install 'hubexpert[train]'", f"{sys.executable} -m pip install 'hubexpert[train]'"),
        ("see the folder .hubexpert/ or https://github.com/hubexpert/hubexpert of hubexpert 0.1.0", None),
    ],
)
def test_commands_are_told_as_they_can_be_run(text: str, told: str | None) -> None:
    """The extension's environment is not on the path: neither are its `hubexpert` and its pip."""
    assert as_called(text, "hubexpert") == text
    assert as_called(text, EXTENSION) == (told or text)


def test_nothing_in_the_repository_is_taken_for_a_script_of_that_name() -> None:
    """`hf extensions install` takes a file `hf-NAME` at the root for the whole extension."""
    assert not (ROOT / "hf-hubexpert").exists()
    first = next(line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("description"))
    assert PROJECT["description"] in first  # what `hf extensions list` shows is read by line


def archive(path: Path) -> None:
    """The repository as GitHub packs it: in one folder, links as links."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    with zipfile.ZipFile(path, "w") as packed:
        for name in filter(None, listed.stdout.split("\0")):
            file = ROOT / name
            if file.is_symlink():
                entry = zipfile.ZipInfo(f"hf-hubexpert-HEAD/{name}")
                entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
                packed.writestr(entry, str(file.readlink()))
            elif file.is_file():
                packed.write(file, f"hf-hubexpert-HEAD/{name}")


@pytest.mark.slow
@pytest.mark.timeout(2 * LIMIT)
def test_installed_as_hf_installs_it(tmp_path: Path) -> None:
    """An environment of its own, pip and an archive, within pip's limit: light, and with the templates."""
    folder = tmp_path / ".local/share/hf/extensions/hf-hubexpert/venv"
    archive(tmp_path / "HEAD.zip")
    venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
    install: list[str | Path] = [
        folder / "bin/python",
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
    ]
    install += ["--force-reinstall", tmp_path / "HEAD.zip"]
    subprocess.run(install, check=True, timeout=LIMIT, env=without_path(), cwd=tmp_path)
    registered(tmp_path, folder / "bin/hf-hubexpert")
    done = hf(tmp_path, "hubexpert", "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: hf hubexpert [OPTIONS] COMMAND")
    done = hf(tmp_path, "hubexpert", "discover", "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: hf hubexpert discover")
    done = hf(tmp_path, "hubexpert", "init", "--base", "a/b", "--shots", "s.jsonl")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hubexpert.yaml").is_file()
    assert "torch" not in {path.name for path in folder.glob("lib/*/site-packages/*")}
