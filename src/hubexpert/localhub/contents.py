"""Which contents a commit may name by their sha256, without sending them.

Contents are kept once for all repositories, and a sha256 is no secret: the file list of a gated repository shows it.
So a commit may name what its sender uploaded to this very repository, and what is in a commit of this repository when
the sender may open it. Whatever else there is looks as if it were not there.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from hubexpert.localhub.gitids import lfs_entry
from hubexpert.localhub.records import Edit, Files, Refusal, Repo

_COMMITTED = ""  # in place of the user who uploaded: the content is in a commit


@dataclass(frozen=True)
class Upload:
    """A change of a commit that puts a content, named by its sha256, at `path`."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Claim:
    """Who names contents, and whether they may open the repository's files."""

    user: str
    may_open: bool


def note_upload(db: sqlite3.Connection, repo_key: int, user: str, sha256: str, size: int) -> None:
    """Remember who uploaded a content to a repository; nothing happens when the repository is gone."""
    query = "INSERT OR IGNORE INTO contents (repo, sha256, user, size) SELECT key, ?, ?, ? FROM repos WHERE key = ?"
    db.execute(query, (sha256, user, size, repo_key))


def note_committed(db: sqlite3.Connection, repo: Repo, before: Files, after: Files) -> None:
    """Remember the LFS contents that a commit brings in."""
    new = {entry.sha256: entry.size for path, entry in after.items() if entry.lfs and before.get(path) != entry}
    db.executemany(
        "INSERT OR IGNORE INTO contents (repo, sha256, user, size) VALUES (?, ?, ?, ?)",
        [(repo.key, sha256, _COMMITTED, size) for sha256, size in new.items()],
    )


def size_of(db: sqlite3.Connection, repo: Repo, claim: Claim, sha256: str) -> int | None:
    """The size in bytes of a content that the claim covers, or None."""
    query = "SELECT size FROM contents WHERE repo = ? AND sha256 = ? AND user IN (?, ?)"
    other = _COMMITTED if claim.may_open else claim.user
    row = db.execute(query, (repo.key, sha256, claim.user, other)).fetchone()
    return None if row is None else int(row["size"])


def as_edits(db: sqlite3.Connection, repo: Repo, claim: Claim, changes: Iterable[Edit | Upload]) -> list[Edit]:
    """The changes with their uploads found.

    Raises:
        Refusal: 400 on an upload that the claim does not cover, be it there or not.
    """
    return [_edit(db, repo, claim, change) if isinstance(change, Upload) else change for change in changes]


def _edit(db: sqlite3.Connection, repo: Repo, claim: Claim, upload: Upload) -> Edit:
    size = size_of(db, repo, claim, upload.sha256)
    if size is None:
        raise Refusal(400, f"The LFS object of {upload.path} was not uploaded.")
    return Edit(upload.path, lfs_entry(upload.sha256, size))
