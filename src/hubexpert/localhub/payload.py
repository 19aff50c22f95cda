"""What clients send to commit: announcements of files, the header of a commit, and its changes."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hubexpert.localhub.blobs import Blobs
from hubexpert.localhub.bodies import text_member
from hubexpert.localhub.contents import Upload
from hubexpert.localhub.gitids import blob_id
from hubexpert.localhub.placement import upload_mode
from hubexpert.localhub.records import Edit, FileEntry, Files, Refusal


@dataclass(frozen=True)
class Header:
    """The first line of a commit."""

    title: str
    message: str
    parent: str | None


def placed(item: Mapping[str, Any], present: Files) -> dict[str, Any]:
    """For an announced file, whether it goes into the commit or by LFS, and the id of the one it replaces."""
    path, size = text_member(item, "path"), item.get("size")
    if not isinstance(size, int) or size < 0:
        raise Refusal(400, "'size' must be a natural number.")
    try:
        sample = base64.b64decode(text_member(item, "sample", ""))
    except ValueError as error:
        raise Refusal(400, "'sample' must be base64.") from error
    old = present.get(path)
    oid = None if old is None else old.sha256 if old.lfs else old.oid
    return {"path": path, "uploadMode": upload_mode(path, size, sample), "shouldIgnore": False, "oid": oid}


def read_header(item: Mapping[str, Any]) -> Header:
    """The first line of a commit."""
    value = item.get("value")
    if item.get("key") != "header" or not isinstance(value, dict):
        raise Refusal(400, "A commit begins with a header.")
    parent = value.get("parentCommit")
    if parent is not None and not isinstance(parent, str):
        raise Refusal(400, "'parentCommit' must be a string.")
    return Header(text_member(value, "summary"), text_member(value, "description", ""), parent)


def keep_file(blobs: Blobs, item: Mapping[str, Any]) -> Edit:
    """A line of a commit with the content of a regular file, which is kept."""
    value = _value(item)
    content = _content(value)
    return Edit(text_member(value, "path"), FileEntry(blob_id(content), len(content), blobs.put(content), lfs=False))


def read_change(item: Mapping[str, Any]) -> Edit | Upload:
    """A line of a commit that names a content which was uploaded before, or deletes something."""
    key, value = item.get("key"), _value(item)
    path = text_member(value, "path")
    if key == "lfsFile":
        return Upload(path, text_member(value, "oid"))
    if key in ("deletedFile", "deletedFolder"):
        return Edit(path, folder=key == "deletedFolder")
    raise Refusal(400, f"Unknown change {key!r}.")


def _value(item: Mapping[str, Any]) -> Mapping[str, Any]:
    value = item.get("value")
    if not isinstance(value, dict):
        raise Refusal(400, "A change has a 'value'.")
    return value


def _content(value: Mapping[str, Any]) -> bytes:
    text = text_member(value, "content")
    if value.get("encoding") != "base64":
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refusal(400, "The content of a file is not base64.") from error
