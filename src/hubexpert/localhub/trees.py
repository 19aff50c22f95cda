"""File lists of commits: apply edits to one, list a folder of one."""

from collections.abc import Iterable
from dataclasses import dataclass

from hubexpert.localhub.names import is_file_path
from hubexpert.localhub.records import Edit, FileEntry, Files, Refusal


@dataclass(frozen=True)
class Node:
    """A file, or (without `entry`) a folder, of a commit."""

    path: str
    entry: FileEntry | None


def apply_edits(files: Files, edits: Iterable[Edit]) -> Files:
    """The files after `edits`, in their order.

    Raises:
        Refusal: 400 on an unusable path or a file where a folder is; 404 when what is to be deleted is missing.
    """
    result = dict(files)
    for edit in edits:
        path = edit.path.rstrip("/") if edit.folder else edit.path
        if not is_file_path(path):
            raise Refusal(400, f"Invalid path in repo: {path!r}")
        if edit.entry is not None:
            result[path] = edit.entry
        elif edit.folder:
            inside = [p for p in result if p.startswith(f"{path}/")]
            if not inside:
                raise Refusal(404, f"A folder with this name doesn't exist: {path}", code="EntryNotFound")
            for name in inside:
                del result[name]
        elif result.pop(path, None) is None:
            raise Refusal(404, f"A file with this name doesn't exist: {path}", code="EntryNotFound")
    both = folders(result) & result.keys()
    if both:
        raise Refusal(400, f"{min(both)!r} would be a file and a folder.")
    return result


def folders(files: Iterable[str]) -> set[str]:
    """All folders of these paths, without the root."""
    found: set[str] = set()
    for path in files:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def nodes(files: Files) -> dict[str, Node]:
    """Every file and folder, by path, in alphabetical order."""
    entries: dict[str, FileEntry | None] = {**dict.fromkeys(folders(files)), **files}
    return {path: Node(path, entries[path]) for path in sorted(entries)}


def listing(files: Files, folder: str, *, recursive: bool) -> list[Node]:
    """The nodes in `folder` ('' is the root), with those of its folders when `recursive`.

    Raises:
        Refusal: 404 `EntryNotFound` when there is no such folder.
    """
    every = nodes(files)
    if folder and (folder not in every or every[folder].entry is not None):
        raise Refusal(404, f"{folder} does not exist", code="EntryNotFound")
    start = f"{folder}/" if folder else ""
    return [n for p, n in every.items() if p.startswith(start) and (recursive or "/" not in p[len(start) :])]
