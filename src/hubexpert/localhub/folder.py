"""A folder on disk as the edits of one commit."""

import os
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from hubexpert.errors import HubExpertError
from hubexpert.localhub.blobs import Blobs
from hubexpert.localhub.gitids import blob_id, lfs_entry
from hubexpert.localhub.names import is_file_path
from hubexpert.localhub.placement import upload_mode
from hubexpert.localhub.records import Edit, FileEntry

_NOT_CONTENT = {".git", ".cache"}  # what `hf upload` leaves out, too; in a worktree, `.git` is a file


def folder_edits(blobs: Blobs, folder: Path) -> list[Edit]:
    """Keep the contents of all files under `folder` and return the edits that put them into a repository.

    Links to files are followed (the snapshots of the client's cache consist of them), links to folders are not.

    Raises:
        HubExpertError: when the folder is missing or empty, or a file cannot be read or named.
    """
    if not folder.is_dir():
        raise HubExpertError(f"{folder} is no folder.", fix="Name a folder that holds the files of the repository.")
    edits = [Edit(path, _keep(blobs, folder / path, path)) for path in sorted(_paths(folder))]
    if not edits:
        raise HubExpertError(f"{folder} holds no files.", fix="Name a folder that holds the files of the repository.")
    return edits


def _paths(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _NOT_CONTENT)
        for name in set(names) - _NOT_CONTENT:
            yield (Path(parent) / name).relative_to(folder).as_posix()


def _keep(blobs: Blobs, file: Path, path: str) -> FileEntry:
    if not is_file_path(path):
        raise HubExpertError(f"{path!r} cannot be the name of a file in a repository.", fix="Rename the file.")
    if not file.is_file():  # a pipe would keep the reader waiting
        raise HubExpertError(f"{file} is no regular file.", fix="Remove it.")
    with _opened(file) as source:
        size = os.fstat(source.fileno()).st_size
        sample = source.read(512)
        source.seek(0)
        if upload_mode(path, size, sample) == "regular":
            content = source.read()
            return FileEntry(blob_id(content), len(content), blobs.put(content), lfs=False)
        sha256 = blobs.put_file(source)
    return lfs_entry(sha256, blobs.size(sha256) or 0)


def _opened(file: Path) -> BufferedReader:
    try:
        return file.open("rb")
    except OSError as error:
        raise HubExpertError(f"{file} cannot be read: {error}.", fix="Remove it, or make it readable.") from error
