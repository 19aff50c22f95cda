"""The store's index: repositories, commits, refs, discussions and uploads in one SQLite file.

SQLite gives what is hard to get right by hand: a commit is there wholly or not at all after `kill -9`, and writers in
several threads and processes (a running server and `hubexpert hub add`) take turns.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

WAIT = 60.0  # seconds; for whoever writes at the moment

# `summary` stands before `files`: SQLite then reads a summary without walking through a long file list.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS repos (
    key INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, id TEXT NOT NULL, author TEXT NOT NULL,
    private INTEGER NOT NULL, gated TEXT NOT NULL DEFAULT '', created TEXT NOT NULL, modified TEXT NOT NULL,
    head TEXT NOT NULL, pipeline_tag TEXT, downloads INTEGER NOT NULL DEFAULT 0,
    UNIQUE (type, id));
CREATE TABLE IF NOT EXISTS commits (
    repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE, oid TEXT NOT NULL, parent TEXT, title TEXT NOT NULL,
    message TEXT NOT NULL, author TEXT NOT NULL, date TEXT NOT NULL, summary TEXT NOT NULL, files TEXT NOT NULL,
    PRIMARY KEY (repo, oid));
CREATE TABLE IF NOT EXISTS refs (
    repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE, name TEXT NOT NULL, oid TEXT NOT NULL,
    PRIMARY KEY (repo, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tags (
    tag TEXT NOT NULL, repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE,
    PRIMARY KEY (tag, repo)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_of_repo ON tags (repo);
CREATE TABLE IF NOT EXISTS discussions (
    repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE, num INTEGER NOT NULL, title TEXT NOT NULL,
    author TEXT NOT NULL, created TEXT NOT NULL, status TEXT NOT NULL, base TEXT, merged TEXT, events TEXT NOT NULL,
    PRIMARY KEY (repo, num));
CREATE TABLE IF NOT EXISTS contents (
    repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE, sha256 TEXT NOT NULL, user TEXT NOT NULL,
    size INTEGER NOT NULL, PRIMARY KEY (repo, sha256, user)) WITHOUT ROWID;
"""


def prepare(path: Path) -> None:
    """Create the tables that are missing."""
    with closing(_connect(path)) as db:
        db.executescript(_SCHEMA)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose statements all see one state of the store."""
    with closing(_connect(path)) as db:
        db.execute("BEGIN")
        yield db


@contextmanager
def writing(path: Path, wait: float) -> Iterator[sqlite3.Connection]:
    """A connection that alone may write; all its statements take effect together when the block ends well.

    Raises:
        sqlite3.OperationalError: when others use the index for `wait` seconds.
    """
    with closing(_connect(path, wait)) as db:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")


def _connect(path: Path, wait: float = WAIT) -> sqlite3.Connection:
    # Rollback journal, not WAL: the latter needs shared memory, which network file systems of clusters lack.
    db = sqlite3.connect(path, timeout=wait, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    return db
