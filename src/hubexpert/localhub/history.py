"""Histories: the commits behind one, and the commit that last changed each path."""

import sqlite3
from collections.abc import Collection, Mapping

from hubexpert.localhub.commits import commit_of, load_files
from hubexpert.localhub.gitids import tree_ids
from hubexpert.localhub.records import Commit, Files, Repo


def history(db: sqlite3.Connection, repo: Repo, oid: str, *, skip: int, limit: int) -> list[Commit]:
    """The commit `oid` and those before it, newest first, without summaries."""
    rows = db.execute(
        "WITH RECURSIVE line (oid, depth) AS ("
        "  SELECT :oid, 0 UNION ALL"
        "  SELECT c.parent, depth + 1 FROM line JOIN commits c ON c.repo = :repo AND c.oid = line.oid"
        "  WHERE c.parent IS NOT NULL)"
        " SELECT c.oid, c.parent, c.title, c.message, c.author, c.date FROM line"
        " JOIN commits c ON c.repo = :repo AND c.oid = line.oid ORDER BY depth LIMIT :limit OFFSET :skip",
        {"oid": oid, "repo": repo.key, "limit": limit, "skip": skip},
    )
    return [commit_of(row, {}) for row in rows]


def last_changes(db: sqlite3.Connection, repo: Repo, oid: str, paths: Collection[str]) -> Mapping[str, Commit]:
    """For each of `paths` (files and folders) the newest commit, at or before `oid`, that changed it."""
    line = history(db, repo, oid, skip=0, limit=-1)
    waiting, found = set(paths), dict[str, Commit]()
    ids = _ids(load_files(db, repo, oid))
    for commit in line:
        if not waiting:
            break
        before = _ids(load_files(db, repo, commit.parent)) if commit.parent else {}
        changed = {path for path in waiting if ids.get(path) != before.get(path)}
        found.update(dict.fromkeys(changed, commit))
        waiting -= changed
        ids = before
    return found


def _ids(files: Files) -> Mapping[str, str]:
    return {**tree_ids(files), **{path: entry.oid for path, entry in files.items()}}
