"""Repositories: find, create, change, move and delete them. All functions take a connection of the store."""

import sqlite3

from hubexpert.localhub.blobs import Blobs
from hubexpert.localhub.commits import write_commit
from hubexpert.localhub.gitids import blob_id
from hubexpert.localhub.names import is_repo_id
from hubexpert.localhub.placement import GITATTRIBUTES
from hubexpert.localhub.records import MAIN, FileEntry, Refusal, Repo, RepoType, timestamp


def from_row(row: sqlite3.Row) -> Repo:
    """The record of a row of `repos`."""
    return Repo(
        key=row["key"],
        type=row["type"],
        id=row["id"],
        private=bool(row["private"]),
        gated=row["gated"],
        created=row["created"],
        modified=row["modified"],
        head=row["head"],
        downloads=row["downloads"],
    )


def check_id(repo_id: str) -> None:
    """Pass when a repository can have this id.

    Raises:
        Refusal: 400.
    """
    if not is_repo_id(repo_id):
        raise Refusal(400, f"Invalid repository id {repo_id!r}: it should be namespace/name.")


def find(db: sqlite3.Connection, repo_type: RepoType, repo_id: str) -> Repo | None:
    """The repository of that type and id, or None."""
    row = db.execute("SELECT * FROM repos WHERE type = ? AND id = ?", (repo_type, repo_id)).fetchone()
    return None if row is None else from_row(row)


def insert(
    db: sqlite3.Connection, blobs: Blobs, repo_type: RepoType, repo_id: str, *, private: bool, author: str
) -> Repo:
    """A new repository whose first commit holds `.gitattributes`, as on the Hub.

    Raises:
        Refusal: 400 on an unusable id, 409 when it exists.
    """
    _check_free(db, repo_type, repo_id)
    now = timestamp()
    row = db.execute(
        "INSERT INTO repos (type, id, author, private, created, modified, head) VALUES (?, ?, ?, ?, ?, ?, '')"
        " RETURNING *",
        (repo_type, repo_id, repo_id.split("/")[0], private, now, now),
    ).fetchone()
    repo = from_row(row)
    entry = FileEntry(blob_id(GITATTRIBUTES), len(GITATTRIBUTES), blobs.put(GITATTRIBUTES), lfs=False)
    write_commit(db, blobs, repo, MAIN, {".gitattributes": entry}, parent=None, title="initial commit", author=author)
    return repo


def configure(db: sqlite3.Connection, repo: Repo, *, private: bool | None, gated: str | None) -> None:
    """Change the settings that are not None."""
    if private is not None:
        db.execute("UPDATE repos SET private = ? WHERE key = ?", (private, repo.key))
    if gated is not None:
        db.execute("UPDATE repos SET gated = ? WHERE key = ?", (gated, repo.key))


def move(db: sqlite3.Connection, repo: Repo, new_id: str) -> None:
    """Give a repository another id; nothing answers under the old one.

    Raises:
        Refusal: 400 on an unusable id, 409 when it is taken.
    """
    _check_free(db, repo.type, new_id)
    db.execute("UPDATE repos SET id = ?, author = ? WHERE key = ?", (new_id, new_id.split("/")[0], repo.key))


def delete(db: sqlite3.Connection, repo: Repo) -> None:
    """Remove a repository with its commits and discussions; blobs stay, other repositories may share them."""
    db.execute("DELETE FROM repos WHERE key = ?", (repo.key,))


def _check_free(db: sqlite3.Connection, repo_type: RepoType, repo_id: str) -> None:
    check_id(repo_id)
    if find(db, repo_type, repo_id):
        raise Refusal(409, f"You already created this {repo_type} repo")
