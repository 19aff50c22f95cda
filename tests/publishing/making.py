"""A project that is ready to be published, and the command that publishes it."""

import os
import subprocess
import sys
from pathlib import Path

from hubexpert.assemble import assemble
from hubexpert.lock import Lock, write_lock
from tests.locks import a_build_folder, a_lock


def assembled(folder: Path, lock: Lock, repo: str = "tester/expert", files: dict[str, bytes] | None = None) -> Path:
    """The folder to publish for that lock."""
    assemble(lock, a_build_folder(folder / "build", files), folder / "publish", repo=repo)
    return folder / "publish"


def a_project(folder: Path, repo: str, lock: Lock | None = None, files: dict[str, bytes] | None = None) -> Path:
    """A recipe that publishes to `repo`, its lock, and the assembled folder; the recipe's path."""
    lock = lock or a_lock(files=files)
    folder.mkdir(exist_ok=True)
    recipe = folder / "hubexpert.yaml"
    recipe.write_text(f"base: acme/base-135m\ntask: {{name: q, shots: shots.jsonl}}\npublish: {{repo: {repo}}}\n")
    write_lock(folder / "hubexpert.lock", lock)
    assembled(folder / ".hubexpert", lock, repo, files)
    return recipe


def start(recipe: Path, *options: str, **environment: str) -> "subprocess.Popen[str]":
    """`hubexpert publish` in a process of its own; an empty variable is one that is not set."""
    command = [sys.executable, "-m", "hubexpert", "publish", "--recipe", str(recipe), *options]
    variables = {name: value for name, value in {**os.environ, **environment}.items() if value}
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Its exit code, stdout and stderr."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err
