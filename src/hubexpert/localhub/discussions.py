"""Discussions and pull requests. A pull request N is a discussion whose commits lie on `refs/pr/N`."""

import json
import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from hubexpert.localhub.blobs import Blobs
from hubexpert.localhub.commits import load_files, resolve, write_commit
from hubexpert.localhub.records import MAIN, Refusal, Repo, timestamp

Status = Literal["draft", "open", "closed", "merged"]


@dataclass(frozen=True)
class Discussion:
    """A discussion; for a pull request, `base` is the commit it started from and `merged` the one that merged it."""

    num: int
    title: str
    author: str
    created: str
    status: str
    base: str | None
    merged: str | None
    events: list[dict[str, Any]]

    @property
    def is_pull_request(self) -> bool:
        """Whether it proposes commits."""
        return self.base is not None

    @property
    def is_open(self) -> bool:
        """Whether it is neither closed nor merged."""
        return self.status in ("draft", "open")

    @property
    def ref(self) -> str:
        """The ref of a pull request's commits."""
        return f"refs/pr/{self.num}"


def event(kind: str, author: str, data: dict[str, Any]) -> dict[str, Any]:
    """Something that happened in a discussion, as the client reads it."""
    return {
        "id": secrets.token_hex(12),
        "type": kind,
        "createdAt": timestamp(),
        "author": {"name": author},
        "data": data,
    }


def comment(author: str, text: str) -> dict[str, Any]:
    """The event of a comment."""
    latest = {"raw": text, "html": "", "updatedAt": timestamp(), "author": {"name": author}}
    return event("comment", author, {"edited": False, "hidden": False, "latest": latest, "history": [latest]})


def open_discussion(
    db: sqlite3.Connection, repo: Repo, *, title: str, author: str, status: Status, base: str | None
) -> Discussion:
    """A new discussion, or (with `base`) a pull request whose ref starts at that commit."""
    num = db.execute("SELECT COALESCE(MAX(num), 0) + 1 FROM discussions WHERE repo = ?", (repo.key,)).fetchone()[0]
    row = (repo.key, num, title, author, timestamp(), status, base, "[]")
    query = "INSERT INTO discussions (repo, num, title, author, created, status, base, events)"
    db.execute(f"{query} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    discussion = load(db, repo, num)
    if base is not None:
        db.execute("INSERT INTO refs (repo, name, oid) VALUES (?, ?, ?)", (repo.key, discussion.ref, base))
    return discussion


def load(db: sqlite3.Connection, repo: Repo, num: int) -> Discussion:
    """The discussion with this number.

    Raises:
        Refusal: 404.
    """
    row = db.execute("SELECT * FROM discussions WHERE repo = ? AND num = ?", (repo.key, num)).fetchone()
    if row is None:
        raise Refusal(404, f"There is no discussion {num}.")
    return _discussion(row)


def load_all(db: sqlite3.Connection, repo: Repo) -> list[Discussion]:
    """All discussions of a repository, newest first."""
    rows = db.execute("SELECT * FROM discussions WHERE repo = ? ORDER BY num DESC", (repo.key,))
    return [_discussion(row) for row in rows]


def append(db: sqlite3.Connection, repo: Repo, num: int, happened: dict[str, Any]) -> None:
    """Add an event to a discussion, and let its title or status follow."""
    discussion = load(db, repo, num)
    title = happened["data"]["to"] if happened["type"] == "title-change" else discussion.title
    status = happened["data"]["status"] if happened["type"] == "status-change" else discussion.status
    db.execute(
        "UPDATE discussions SET title = ?, status = ?, events = ? WHERE repo = ? AND num = ?",
        (title, status, json.dumps([*discussion.events, happened]), repo.key, num),
    )


def conflicts(db: sqlite3.Connection, repo: Repo, discussion: Discussion) -> list[str]:
    """The files that a pull request and the main branch both changed, and not to the same."""
    base, theirs, ours = _three(db, repo, discussion)
    return sorted(
        path
        for path in {*base, *theirs, *ours}
        if base.get(path) != theirs.get(path) != ours.get(path) != base.get(path)
    )


def merge(db: sqlite3.Connection, blobs: Blobs, repo: Repo, discussion: Discussion, author: str) -> str:
    """Apply what a pull request changed to the main branch; the id of the commit.

    Raises:
        Refusal: 400 when it is no open pull request or a path would be a file and a folder, 409 when files conflict.
    """
    if not discussion.is_pull_request or not discussion.is_open:
        raise Refusal(400, f"{discussion.num} is not an open pull request.")
    clashing = conflicts(db, repo, discussion)
    if clashing:
        raise Refusal(409, f"These files conflict: {', '.join(clashing)}.")
    base, theirs, ours = _three(db, repo, discussion)
    changed = {path for path in {*base, *theirs} if base.get(path) != theirs.get(path)}
    files = {p: e for p, e in ours.items() if p not in changed} | {p: e for p, e in theirs.items() if p in changed}
    title = f"{discussion.title} (#{discussion.num})"
    head = resolve(db, repo, MAIN)
    oid = write_commit(db, blobs, repo, MAIN, files, parent=head, title=title, author=author)
    db.execute("UPDATE discussions SET merged = ? WHERE repo = ? AND num = ?", (oid, repo.key, discussion.num))
    append(db, repo, discussion.num, event("status-change", author, {"status": "merged"}))
    return oid


def _three(db: sqlite3.Connection, repo: Repo, discussion: Discussion) -> tuple[Any, Any, Any]:
    """The files at the start of a pull request, at its end, and at the head of the main branch."""
    return (
        load_files(db, repo, discussion.base or ""),
        load_files(db, repo, resolve(db, repo, discussion.ref)),
        load_files(db, repo, resolve(db, repo, MAIN)),
    )


def _discussion(row: sqlite3.Row) -> Discussion:
    return Discussion(
        num=row["num"],
        title=row["title"],
        author=row["author"],
        created=row["created"],
        status=row["status"],
        base=row["base"],
        merged=row["merged"],
        events=json.loads(row["events"]),
    )
