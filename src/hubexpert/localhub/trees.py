"""File lists of commits: apply edits to one, list a folder of one."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hubexpert.localhub.names import is_file_path
from hubexpert.localhub.records import Edit, FileEntry, Files, Refusal


@dataclass(frozen=True)
class Node:
    """A file, or (without `entry`) a folder, of a commit."""

    path: str
    entry: FileEntry | None


def apply_edits(files: Files, edits: Sequence[Edit]) -> Files:
    """The files after `edits`, in their order.

    Raises:
        Refusal: 400 on an unusable path; 404 when what is to be deleted is missing.
    """
    result = dict(files)
    # What lies in a folder stands together in the order of the paths; to look for it there takes no time.
    sorts = any(edit.folder for edit in edits)
    order = sorted(result) if sorts else []
    for edit in edits:
        path = edit.path.rstrip("/") if edit.folder else edit.path
        if not is_file_path(path):
            raise Refusal(400, f"Invalid path in repo: {path!r}")
        if edit.entry is not None:
            if sorts and path not in result:
                insort(order, path)
            result[path] = edit.entry
        elif edit.folder:
            start, end = bisect_left(order, f"{path}/"), bisect_left(order, f"{path}0")  # '0' comes next after '/'
            if not [name for name in order[start:end] if result.pop(name, None)]:
                raise Refusal(404, f"A folder with this name doesn't exist: {path}", code="EntryNotFound")
            del order[start:end]
        elif result.pop(path, None) is None:
            raise Refusal(404, f"A file with this name doesn't exist: {path}", code="EntryNotFound")
    return result


def check_folders(files: Files) -> None:
    """Pass when no path is a file and a folder.

    Raises:
        Refusal: 400.
    """
    both = folders(files) & files.keys()
    if both:
        raise Refusal(400, f"{min(both)!r} would be a file and a folder.")


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


def nodes_in(files: Files, folder: str, *, recursive: bool) -> list[Node]:
    """The nodes in `folder` ('' is the root), with those of its folders when `recursive`.

    Raises:
        Refusal: 404 `EntryNotFound` when there is no such folder.
    """
    every = nodes(files)
    if folder and (folder not in every or every[folder].entry is not None):
        raise Refusal(404, f"{folder} does not exist", code="EntryNotFound")
    start = f"{folder}/" if folder else ""
    return [n for p, n in every.items() if p.startswith(start) and (recursive or "/" not in p[len(start) :])]
