"""The lock as a file."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from hubexpert.errors import HubExpertError
from hubexpert.lock.versions import raised
from hubexpert.lock.whole import LOCK_VERSION, Lock
from hubexpert.workspace import write_atomically

DIGITS = 12  # of a lock's digest in a commit's title
TITLE = re.compile(rf"\(lock ([0-9a-f]{{{DIGITS}}})\)")


def render_lock(lock: Lock) -> str:
    """The lock's canonical text: one value a line, sorted keys, so that it diffs well."""
    return canonical(lock.model_dump(mode="json"))


def canonical(value: Any) -> str:
    """A JSON value in the form of a lock."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def digest_of(lock: Lock) -> str:
    """The SHA-256 of the lock's canonical text."""
    return hashlib.sha256(render_lock(lock).encode()).hexdigest()


def titled(text: str, lock: Lock) -> str:
    """The title of the commit that publishes this lock: the text, and the beginning of the lock's digest."""
    return f"{text} (lock {digest_of(lock)[:DIGITS]})"


def named_in(title: str) -> str | None:
    """The first digits of the digest of the lock that a commit's title names; None where it names none."""
    found = TITLE.search(title)
    return found[1] if found else None


def write_lock(path: Path, lock: Lock) -> None:
    """Write the lock in its canonical form."""
    write_atomically(path, render_lock(lock))


def read_lock(path: Path) -> Lock:
    """The lock in the file `path`; one of an older version as this release would write it.

    Raises:
        HubExpertError: the file is missing, damaged or of a version this release does not know.
    """
    if not path.is_file():
        raise HubExpertError(f"There is no lock at {path}.", fix="hubexpert run")
    try:
        return _parsed(path.read_bytes(), str(path))
    except (ValueError, RecursionError) as error:
        raise HubExpertError(
            f"{path} is damaged.", fix=f"restore it from version control, or delete {path} and run `hubexpert run`"
        ) from error


def holds(path: Path, lock: Lock) -> bool:
    """Whether the file `path` holds this lock, perhaps as an older version wrote it."""
    try:
        return _parsed(path.read_bytes(), str(path)) == lock
    except (ValueError, RecursionError, HubExpertError):
        return False


def _parsed(content: bytes, name: str) -> Lock:
    """The lock in a file's content; ValueError where it is none."""
    raw: Any = json.loads(content.decode())
    version = raw.get("version") if isinstance(raw, dict) else None
    if type(version) is not int or version < 1:
        raise ValueError("it tells no version")
    if version > LOCK_VERSION:
        raise HubExpertError(
            f"{name} was written by a newer hubexpert (lock version {version}).", fix="pip install -U hubexpert"
        )
    return Lock.model_validate(raised(raw))
