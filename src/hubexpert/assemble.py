"""The folder that is published: the build's files, the card with its figures, and the lock."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from hubexpert.card import write_card
from hubexpert.errors import HubExpertError
from hubexpert.lock import DEFAULT_LOCK, Lock, read_lock, write_lock
from hubexpert.recipe import read_recipe
from hubexpert.workspace import WORKSPACE, Workspace, file_digest

PUBLISHED_FILES = ("adapter_config.json", "adapter_model.safetensors", "router.safetensors")
FINDERS = ("knowledge.json", "reranker/")  # what finds passages, where a mixture reads them
BUILD, PUBLISH = "build", "publish"


@dataclass(frozen=True)
class Assembled:
    """The folder, and whether the weights are in it, too."""

    folder: Path
    complete: bool


def assemble(lock: Lock, build_folder: Path, target: Path, *, repo: str | None) -> None:
    """Put into `target` the files of the build that the lock describes, the card, its figures and the lock.

    Raises:
        HubExpertError: a file of the build is missing or is not the one that was measured.
    """
    check_files(lock, build_folder)
    target.mkdir(parents=True, exist_ok=True)
    for name in published_files(lock):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(build_folder / name, target / name)
    write_page(lock, target, repo=repo)


def write_page(lock: Lock, target: Path, *, repo: str | None) -> None:
    """The card, its figures and the lock, without the weights."""
    write_card(lock, target, repo=repo)
    write_lock(target / DEFAULT_LOCK, lock)


def refresh(recipe_path: Path) -> Assembled:
    """Assemble `.hubexpert/publish/` anew from the lock beside the recipe; without weights where there are none.

    Raises:
        HubExpertError: recipe or lock are missing or damaged, or the weights are not those that were measured.
    """
    recipe = read_recipe(recipe_path)
    lock = read_lock(recipe_path.parent / DEFAULT_LOCK)
    workspace = Workspace(recipe_path.parent / WORKSPACE)
    with workspace.locked():
        return renew(lock, workspace, repo=recipe.publish.repo)


def renew(lock: Lock, workspace: Workspace, *, repo: str | None) -> Assembled:
    """As `refresh`, for the lock and in the workspace that the caller holds."""
    weights = _weights(lock, workspace)
    if weights is None:
        folder = workspace.replace_folder(PUBLISH, lambda target: write_page(lock, target, repo=repo))
    else:
        folder = workspace.replace_folder(PUBLISH, lambda target: assemble(lock, weights, target, repo=repo))
    return Assembled(folder=folder, complete=weights is not None)


def _weights(lock: Lock, workspace: Workspace) -> Path | None:
    """Where the weights lie: in the build, or, where that was cleared away, in what was assembled before."""
    for folder in (workspace.root / BUILD, workspace.root / PUBLISH):
        if all((folder / name).is_file() for name in published_files(lock)):
            return folder
    return None


def published_files(lock: Lock) -> tuple[str, ...]:
    """The names of the build's files that are published."""
    found = sorted(name for name in lock.build.files if name.startswith(FINDERS))
    return (*(name for name in PUBLISHED_FILES if name in lock.build.files), *found)


def check_files(lock: Lock, folder: Path) -> None:
    """See that the folder holds the files that the lock's report was measured on.

    Raises:
        HubExpertError: one is missing or has another SHA-256.
    """
    for name in published_files(lock):
        if not (folder / name).is_file():
            raise HubExpertError(f"{name} is missing in {folder}.", fix="hubexpert run")
        if file_digest(folder / name) != lock.build.files[name]:
            raise HubExpertError(f"{folder / name} is not the file that was measured.", fix="hubexpert run")
