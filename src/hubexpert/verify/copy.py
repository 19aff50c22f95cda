"""The copy that is looked at: a repository at one commit, or a folder. Only what its name and size allow is opened."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.lock import DEFAULT_LOCK
from hubexpert.records import Source
from hubexpert.verify.check import Check

CARD = "README.md"
NAME = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*", re.ASCII)  # no part begins with a dot: none leads out of the folder
KINDS = (".json", ".safetensors", ".txt", ".model")  # what is opened, beside card and lock
LARGEST, LARGEST_WEIGHTS = 64 * 1024**2, 64 * 1024**3  # bytes
OF_GIT = (".gitattributes", ".git", ".cache")  # by the first part of the path


@dataclass(frozen=True)
class Copy:
    """What is looked at.

    Attributes:
        name: what it is called.
        source: where it lies on the Hub; None of a folder.
        sizes: bytes of its files, by their paths; None where the Hub does not tell.
        folder: where its files are; None where they are still on the Hub.
        partial: whether only some of its files may be here: those that were downloaded before.
    """

    name: str
    source: Source | None
    sizes: Mapping[str, int | None]
    folder: Path | None
    partial: bool = False


def open_copy(repo_or_folder: str, *, revision: str | None = None, offline: bool = False) -> Copy:
    """The copy with the list of its files; one request, none of a folder or offline.

    Args:
        repo_or_folder: a Hub id or a folder.
        revision: branch, tag or commit of the repository.
        offline: take the repository from the cache.

    Raises:
        HubExpertError: there is none, or it is not in the cache.
    """
    place = Path(repo_or_folder)
    if place.is_dir():
        if revision:
            raise HubExpertError("A folder has no revisions.", fix="leave out --revision, or name a repository")
        return Copy(place.resolve().name, None, _sizes(place), place)
    if offline:
        place = hub.kept(repo_or_folder, revision, DEFAULT_LOCK).parent
        return Copy(
            repo_or_folder, Source(repo=repo_or_folder, revision=place.name), _sizes(place), place, partial=True
        )
    listing = hub.look(repo_or_folder, revision)
    sizes = {name: listing.sizes.get(name) for name in listing.files if not _of_git(name)}
    return Copy(listing.source.repo, listing.source, sizes, None)


def fault(copy: Copy, name: str) -> str | None:
    """Why this file of the copy is not opened; None where it may be."""
    if not NAME.fullmatch(name) or not (name.endswith(KINDS) or name in (CARD, DEFAULT_LOCK)):
        return "No file of this name is opened."
    size = copy.sizes[name]
    most = LARGEST_WEIGHTS if name.endswith(".safetensors") else LARGEST
    if size is None or size > most:
        told = "an unknown number of" if size is None else f"{size:,}"
        return f"It has {told} bytes, and no more than {most:,} are opened."
    return None


def lacking(copy: Copy, check: str, about: str, what: str, *, wrong: bool) -> Check:
    """The check of what the copy lacks, which of one in the cache says nothing."""
    if copy.partial:
        return Check(check=check, about=about, outcome="unchecked", what="Offline, and not in the cache.")
    return Check(check=check, about=about, outcome="missing", what=what, wrong=wrong)


def fetch(copy: Copy, name: str) -> Path:
    """The file on this machine; of a repository it is downloaded, unless it is in the cache.

    Raises:
        HubExpertError: it cannot be had.
    """
    if copy.folder is not None:
        return copy.folder / name
    assert copy.source is not None  # noqa: S101  it is one or the other
    return hub.download(copy.source, [name]) / name


def _sizes(folder: Path) -> dict[str, int | None]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.stat().st_size for name, path in sorted(files.items()) if not _of_git(name)}


def _of_git(name: str) -> bool:
    return PurePosixPath(name).parts[:1] != () and PurePosixPath(name).parts[0] in OF_GIT
