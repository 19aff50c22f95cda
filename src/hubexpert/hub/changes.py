"""How a folder differs from what a repository holds, file by file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile

from hubexpert.errors import HubExpertError
from hubexpert.hub.calls import call

# What an earlier mixture may have left in the repository; what else lies there is its owner's.
GENERATED = (
    "adapter_config.json", "adapter_model.safetensors", "router.safetensors", "knowledge.json",
    "figures/comparison.png", "figures/pool.png", "figures/shares.png", "figures/contributions.png",
)  # fmt: skip
GENERATED_FOLDER = "reranker/"


@dataclass(frozen=True)
class FileChange:
    """What becomes of one file of the repository.

    Attributes:
        file: its name in the repository.
        change: what publishing does to it; `deleted` are generated files that the folder no longer has.
        here: bytes in the folder; None where it is deleted.
        there: bytes in the repository; None where it is added.
    """

    file: str
    change: Literal["added", "changed", "same", "deleted"]
    here: int | None
    there: int | None


def changes(api: HfApi, repo: str, folder: Path, commit: str | None) -> tuple[FileChange, ...]:
    """How the folder differs from the repository at that commit, by name; with None, from an empty one."""
    there = _entries(api, repo, commit) if commit else {}
    here = _files(folder)
    found = [_change(name, file, there.get(name)) for name, file in here.items()]
    stale = (name for name in there if name not in here and _is_generated(name))
    found += [FileChange(name, "deleted", None, there[name].size) for name in stale]
    return tuple(sorted(found, key=lambda change: change.file))


def _is_generated(name: str) -> bool:
    return name in GENERATED or name.startswith(GENERATED_FOLDER)


def unchanged(found: tuple[FileChange, ...]) -> bool:
    """Whether the repository holds what the folder holds."""
    return all(change.change == "same" for change in found)


def _change(name: str, file: Path, entry: RepoFile | None) -> FileChange:
    size = file.stat().st_size
    if entry is None:
        return FileChange(name, "added", size, None)
    return FileChange(name, "same" if _same(file, entry) else "changed", size, entry.size)


def _entries(api: HfApi, repo: str, commit: str) -> dict[str, RepoFile]:
    tree = call(lambda: list(api.list_repo_tree(repo, recursive=True, revision=commit)), repo)
    return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}


def _files(folder: Path) -> dict[str, Path]:
    """The folder's files by their names in the repository, without hidden ones."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    visible = {name: path for name, path in files.items() if not any(part[0] == "." for part in name.split("/"))}
    if not visible:
        raise HubExpertError(f"There is nothing to publish in {folder}.", fix="hubexpert run")
    return visible


def _same(file: Path, entry: RepoFile) -> bool:
    """Whether the file's content is that of the entry: by SHA-256 in large-file storage, else by git's blob id."""
    if entry.size != file.stat().st_size:
        return False
    with file.open("rb") as stream:
        if entry.lfs is not None:
            return hashlib.file_digest(stream, "sha256").hexdigest() == entry.lfs.sha256
        content = stream.read()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return blob.hexdigest() == entry.blob_id
