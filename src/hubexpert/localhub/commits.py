"""Commits and the refs that point to them. All functions take a connection of the store."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple

from hubexpert.localhub.blobs import Blobs
from hubexpert.localhub.contents import note_committed
from hubexpert.localhub.gitids import commit_id, tree_ids
from hubexpert.localhub.names import is_commit_id
from hubexpert.localhub.records import MAIN, Commit, Edit, FileEntry, Files, Refusal, Repo, timestamp
from hubexpert.localhub.summary import summarise
from hubexpert.localhub.trees import apply_edits, check_folders


def resolve(db: sqlite3.Connection, repo: Repo, revision: str) -> str:
    """The commit a branch, a tag, a `refs/…` name or a commit id (seven digits or more) stands for.

    Raises:
        Refusal: 404 `RevisionNotFound`.
    """
    for name in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
        row = db.execute("SELECT oid FROM refs WHERE repo = ? AND name = ?", (repo.key, name)).fetchone()
        if row is not None:
            return str(row["oid"])
    if is_commit_id(revision):
        query = "SELECT oid FROM commits WHERE repo = ? AND oid >= ? AND oid < ? LIMIT 2"
        rows = db.execute(query, (repo.key, revision, f"{revision}g")).fetchall()  # 'g' sorts after every hex digit
        if len(rows) == 1:
            return str(rows[0]["oid"])
    raise _no_revision(revision)


def load_commit(db: sqlite3.Connection, repo: Repo, oid: str) -> Commit:
    """The commit with this full id, without its files."""
    query = "SELECT oid, parent, title, message, author, date, summary FROM commits WHERE repo = ? AND oid = ?"
    row = db.execute(query, (repo.key, oid)).fetchone()
    if row is None:
        raise _no_revision(oid)
    return commit_of(row, json.loads(row["summary"]))


def commit_of(row: sqlite3.Row, summary: dict[str, object]) -> Commit:
    """The record of a row of `commits`."""
    return Commit(row["oid"], row["parent"], row["title"], row["message"], row["author"], row["date"], summary)


def load_files(db: sqlite3.Connection, repo: Repo, oid: str) -> Files:
    """The files of the commit with this full id, by path."""
    row = db.execute("SELECT files FROM commits WHERE repo = ? AND oid = ?", (repo.key, oid)).fetchone()
    if row is None:
        raise _no_revision(oid)
    return {path: FileEntry(*values) for path, values in json.loads(row["files"]).items()}


def commit_edits(
    db: sqlite3.Connection,
    blobs: Blobs,
    repo: Repo,
    ref: str,
    edits: Sequence[Edit],
    *,
    title: str,
    message: str = "",
    author: str,
    parent: str | None = None,
) -> str:
    """Apply `edits` on top of `ref`; the new head of `ref`, or the old one when nothing changes.

    Raises:
        Refusal: 412 when `parent` is given and is not the head; 404 when `ref` or a file to delete is missing.
    """
    head = resolve(db, repo, ref)
    if parent is not None and parent != head:
        raise Refusal(412, "A commit has happened since. Please refresh and try again.")
    before = load_files(db, repo, head)
    after = apply_edits(before, edits)
    if after == before:
        return head
    note_committed(db, repo, before, after)
    return write_commit(db, blobs, repo, ref, after, parent=head, title=title, message=message, author=author)


def write_commit(
    db: sqlite3.Connection,
    blobs: Blobs,
    repo: Repo,
    ref: str,
    files: Files,
    *,
    parent: str | None,
    title: str,
    message: str = "",
    author: str,
) -> str:
    """A commit of exactly these files, to which `ref` then points; its id.

    Raises:
        Refusal: 400 when a path would be a file and a folder.
    """
    check_folders(files)
    date = timestamp()
    oid = commit_id(tree_ids(files)[""], parent, author, date, f"{title}\n\n{message}")
    summary = json.dumps(summarise(blobs, repo.type, files))
    table = json.dumps({path: astuple(files[path]) for path in sorted(files)})
    # The same change by the same author in the same millisecond is the same commit, as in git.
    db.execute(
        "INSERT OR IGNORE INTO commits (repo, oid, parent, title, message, author, date, summary, files)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (repo.key, oid, parent, title, message, author, date, summary, table),
    )
    point(db, repo, ref, oid)
    return oid


def point(db: sqlite3.Connection, repo: Repo, ref: str, oid: str) -> None:
    """Let `ref` stand for commit `oid`; for the main branch, renew what listings are answered from."""
    db.execute("INSERT OR REPLACE INTO refs (repo, name, oid) VALUES (?, ?, ?)", (repo.key, ref, oid))
    if ref != MAIN:
        return
    summary = load_commit(db, repo, oid).summary
    db.execute(
        "UPDATE repos SET head = ?, modified = ?, pipeline_tag = ? WHERE key = ?",
        (oid, timestamp(), summary["pipeline_tag"], repo.key),
    )
    db.execute("DELETE FROM tags WHERE repo = ?", (repo.key,))
    db.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?)", [(tag, repo.key) for tag in summary["tags"]])


def _no_revision(revision: str) -> Refusal:
    return Refusal(404, f"Invalid rev id: {revision}", code="RevisionNotFound")
