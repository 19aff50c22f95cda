"""Listings of repositories: filtered, sorted and paged by the index, without reading a file."""

import base64
import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hubexpert.localhub.records import Refusal, Repo, RepoType
from hubexpert.localhub.repos import from_row

PAGE = 1000

# What a listing can be sorted by; nothing here is trending or liked, so that order is by age.
_COLUMNS = {
    "lastModified": "modified",
    "createdAt": "created",
    "downloads": "downloads",
    "likes": "key",
    "trendingScore": "key",
}


@dataclass(frozen=True)
class Query:
    """What is asked for; repositories must satisfy all of it."""

    type: RepoType
    tags: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    author: str | None = None
    pipeline_tag: str | None = None
    gated: bool | None = None
    sort: str | None = None
    ascending: bool = False
    limit: int = PAGE
    cursor: str | None = None


@dataclass(frozen=True)
class Viewer:
    """Whose private repositories are listed: with a token, all but those of `others`, named in lower case."""

    known: bool
    others: Collection[str]


def page(db: sqlite3.Connection, query: Query, viewer: Viewer) -> tuple[list[tuple[Repo, Mapping[str, Any]]], str]:
    """The repositories of one page with the summaries of their heads, and the cursor of the next page or ''.

    Raises:
        Refusal: 400 on an unknown sort or a cursor that is not one of ours.
    """
    column = _COLUMNS.get(query.sort or "trendingScore")
    if column is None:
        raise Refusal(400, f"Cannot sort by {query.sort!r}.")
    where, values = _conditions(query, viewer)
    if query.cursor:
        after = _read_cursor(query.cursor)
        where.append(f"(r.{column}, r.key) {'>' if query.ascending else '<'} (?, ?)")
        values.extend(after)
    order = "ASC" if query.ascending else "DESC"
    by = f"ORDER BY r.{column} {order}, r.key {order}"
    # `where` and the order are made of the constants of this module; everything from outside is a bound value.
    # The inner query sorts all that match; the summaries, which are long, are read of one page only.
    rows = db.execute(
        f"SELECT r.*, c.summary FROM (SELECT * FROM repos r WHERE {' AND '.join(where)} {by} LIMIT ?) r"  # noqa: S608
        f" JOIN commits c ON c.repo = r.key AND c.oid = r.head {by}",
        (*values, query.limit + 1),
    ).fetchall()
    found = [(from_row(row), json.loads(row["summary"])) for row in rows[: query.limit]]
    more = len(rows) > query.limit > 0
    return found, _cursor(rows[query.limit - 1][column], found[-1][0].key) if more else ""


def count_children(db: sqlite3.Connection, repo_id: str, relations: Collection[str]) -> dict[str, int]:
    """How many public models name `repo_id` as their base, by relation."""
    query = "SELECT COUNT(*) FROM tags t JOIN repos r ON r.key = t.repo WHERE t.tag = ? AND NOT r.private"
    return {kind: db.execute(query, (f"base_model:{kind}:{repo_id}",)).fetchone()[0] for kind in relations}


def _conditions(query: Query, viewer: Viewer) -> tuple[list[str], list[Any]]:
    # A tag leads to fewer repositories than the index of types, which SQLite would prefer but for the `+`.
    where, values = ["+r.type = ?" if query.tags else "r.type = ?"], list[Any]([query.type])
    if not viewer.known:
        where.append("NOT r.private")
    elif viewer.others:
        where.append(f"(NOT r.private OR lower(r.author) NOT IN ({', '.join('?' * len(viewer.others))}))")
        values.extend(viewer.others)
    for tag in query.tags:
        where.append("r.key IN (SELECT repo FROM tags WHERE tag = ?)")
        values.append(tag)
    for text in query.searches:
        where.append("instr(lower(r.id), ?)")
        values.append(text.lower())
    for condition, value in (("r.author = ?", query.author), ("r.pipeline_tag = ?", query.pipeline_tag)):
        if value is not None:
            where.append(condition)
            values.append(value)
    if query.gated is not None:
        where.append("r.gated != ''" if query.gated else "r.gated = ''")
    return where, values


def _cursor(value: str | int, key: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([value, key]).encode()).decode()


def _read_cursor(cursor: str) -> tuple[str | int, int]:
    try:
        value, key = json.loads(base64.urlsafe_b64decode(cursor))
    except (ValueError, TypeError, RecursionError) as error:
        raise Refusal(400, "Invalid cursor.") from error
    if not isinstance(key, int) or not all(_is_sortable(item) for item in (value, key)):
        raise Refusal(400, "Invalid cursor.")
    return value, key


def _is_sortable(value: object) -> bool:
    """Whether `value` can be compared with a column: a time, or a number SQLite can hold."""
    return value.isascii() if isinstance(value, str) else isinstance(value, int) and abs(value) < 1 << 63
