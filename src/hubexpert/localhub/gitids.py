"""Object ids as git computes them: clients hash files locally, to leave out those that did not change."""

import hashlib
from collections.abc import Mapping

from hubexpert.localhub.records import FileEntry, Files


def _oid(kind: str, body: bytes) -> str:
    return hashlib.sha1(b"%s %d\0%s" % (kind.encode(), len(body), body), usedforsecurity=False).hexdigest()


def blob_id(content: bytes) -> str:
    """The git id of a file with this content."""
    return _oid("blob", content)


def pointer(sha256: str, size: int) -> bytes:
    """The text git keeps in place of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def lfs_entry(sha256: str, size: int) -> FileEntry:
    """The entry of an LFS file; its git id is that of the pointer."""
    return FileEntry(oid=blob_id(pointer(sha256, size)), size=size, sha256=sha256, lfs=True)


def tree_ids(files: Files) -> Mapping[str, str]:
    """The git tree id of every folder; the repository's root has the key ''."""
    children: dict[str, dict[str, tuple[bytes, str]]] = {"": {}}
    for path, entry in files.items():
        folder, _, name = path.rpartition("/")
        children.setdefault(folder, {})[name] = (b"100644", entry.oid)
        while folder and folder.rpartition("/")[0] not in children:
            folder = folder.rpartition("/")[0]
            children[folder] = {}
    ids: dict[str, str] = {}
    # Deepest first, so that a folder's own id is known when its parent needs it; the root comes last.
    for folder in sorted(children, key=lambda f: f.count("/") if f else -1, reverse=True):
        entries = children[folder]
        # Git sorts a folder as if its name ended in a slash.
        ordered = sorted(entries.items(), key=lambda e: e[0].encode() + (b"/" if e[1][0] == b"40000" else b""))
        body = b"".join(mode + b" " + name.encode() + b"\0" + bytes.fromhex(oid) for name, (mode, oid) in ordered)
        ids[folder] = _oid("tree", body)
        if folder:
            parent, _, name = folder.rpartition("/")
            children[parent][name] = (b"40000", ids[folder])
    return ids


def commit_id(tree: str, parent: str | None, author: str, date: str, message: str) -> str:
    """The git id of a commit; `date` keeps its milliseconds, so that two commits of one second differ."""
    lines = [f"tree {tree}", *([f"parent {parent}"] if parent else []), f"author {author} {date}", "", message]
    return _oid("commit", "\n".join(lines).encode())
