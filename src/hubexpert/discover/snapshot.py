"""What the Hub's listings and files say of adapters, kept on disk: later runs ask only for what changed since."""

import json
import sqlite3
import time
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hubexpert import hub
from hubexpert.errors import HubExpertError

VERSION = 3  # raised whenever the tables or what is in them change: the file is then made anew
BATCH = 200  # listings that are read at a time
WAIT = 60.0  # seconds; for another process that writes
LISTING = TypeAdapter(hub.Listing)
COLUMNS = {"downloads": "downloads", "likes": "likes", "modified": "modified"}
SCHEMA = """
CREATE TABLE IF NOT EXISTS queries (
    tag TEXT PRIMARY KEY, run INTEGER NOT NULL DEFAULT 0, next TEXT, began REAL, seen INTEGER NOT NULL DEFAULT 0,
    cut INTEGER NOT NULL DEFAULT 0, newest REAL, finished REAL, updated REAL);
CREATE TABLE IF NOT EXISTS found (
    tag TEXT NOT NULL, repo TEXT NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (tag, repo)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS listings (
    place INTEGER PRIMARY KEY AUTOINCREMENT, repo TEXT NOT NULL UNIQUE, base TEXT, downloads INTEGER NOT NULL,
    likes INTEGER NOT NULL, modified REAL NOT NULL,
    data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, at REAL NOT NULL, data BLOB NOT NULL);
"""
UPSERT = """
INSERT INTO listings (repo, base, downloads, likes, modified, data) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (repo) DO UPDATE SET base = excluded.base, downloads = excluded.downloads, likes = excluded.likes,
    modified = excluded.modified, data = excluded.data
"""


@dataclass(frozen=True)
class State:
    """How far the listing of one tag is known.

    Attributes:
        run: the number of the present or last reading from the beginning.
        next: where that reading goes on; None where it is finished or not begun.
        began: when it was begun, by the Hub's clock.
        seen: the entries it has read.
        cut: whether it ended before the listing did.
        newest: all that changed before this moment, by the Hub's clock, is known; None before the first reading ends.
        finished: when the last reading ended, by this machine's clock.
        updated: when the Hub was last asked for changes, by this machine's clock.
    """

    run: int = 0
    next: str | None = None
    began: float | None = None
    seen: int = 0
    cut: bool = False
    newest: float | None = None
    finished: float | None = None
    updated: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """One SQLite file with what is known of one Hub, as one token sees it."""

    path: Path

    def state(self, tag: str) -> State:
        """How far the listing of the tag is known."""
        with self._open() as db:
            return _read(db, tag)

    def add(self, tag: str, models: Sequence[hub.Listing], state: State, *, full: bool, last: bool = False) -> None:
        """Keep a page of the tag's listing, and how far that leads, together.

        Args:
            tag: the listing's.
            models: the page.
            state: what is known with it.
            full: keep what is said of the models; else only their names.
            last: it ends a reading from the beginning: what that did not show is no longer there.
        """
        rows = [_row(model) for model in models] if full else []
        with self._open(writing=True) as db:
            # A repository keeps its place, and nobody gets it after: who reads the listings meanwhile goes by it.
            db.executemany(UPSERT, rows)
            found = [(tag, model.source.repo, state.run) for model in models]
            # Another process may read the same listing: the newer reading counts, whoever is first.
            db.executemany(
                "INSERT INTO found VALUES (?, ?, ?) ON CONFLICT (tag, repo) DO UPDATE SET run = max(run, excluded.run)",
                found,
            )
            if last:
                db.execute("DELETE FROM found WHERE tag = ? AND run < ?", (tag, state.run))
                db.execute("DELETE FROM listings WHERE repo NOT IN (SELECT repo FROM found)")
            _write(db, tag, state)

    def begin(self, tag: str) -> State:
        """The state with which a new reading of the tag's listing begins; no two get the same number."""
        with self._open(writing=True) as db:
            before = _read(db, tag)
            after = replace(before, run=before.run + 1, next=None)  # the old place is one of the old reading
            _write(db, tag, after)
        return replace(after, began=None, seen=0, cut=False)

    def names(self, tag: str) -> tuple[str, ...]:
        """The repositories under the tag."""
        with self._open() as db:
            rows = db.execute("SELECT repo FROM found WHERE tag = ? ORDER BY repo", (tag,)).fetchall()
        return tuple(row["repo"] for row in rows)

    def adapters(
        self, tags: Sequence[str], libraries: Sequence[str], related: Callable[[str], bool], *, sort: str
    ) -> Iterator[tuple[hub.Listing, bool, bool]]:
        """The models under one of the tags, and those under one of the libraries whose base is related; streamed.

        With each: whether a tag, and whether its configuration led to it. In the order of `sort`, then by name.
        """
        known = lru_cache(1 << 16)(lambda base: base is not None and related(base))
        under = "EXISTS (SELECT 1 FROM found f WHERE f.repo = l.repo AND f.tag IN ({}))"
        with self._open() as db:
            db.create_function("related", 1, known, deterministic=True)
            # The query is made of constants of this module; every value from outside is bound.
            found = db.execute(
                "SELECT 4 * place + 2 * tagged + stated FROM"  # noqa: S608
                " (SELECT l.place, l.repo, l.downloads, l.likes, l.modified,"
                f" {under.format(_marks(tags))} AS tagged,"
                f" (coalesce(related(l.base), 0) AND {under.format(_marks(libraries))}) AS stated FROM listings l)"
                f" WHERE tagged OR stated ORDER BY {COLUMNS[sort]} DESC, repo",
                (*tags, *libraries),
            )
            places = array("q", (row[0] for row in found))  # eight bytes each: of a popular base there are many
        for start in range(0, len(places), BATCH):  # so that nobody who writes has to wait for whoever reads this
            batch = places[start : start + BATCH]
            with self._open() as db:
                query = "SELECT data FROM listings WHERE place = ?"
                rows = [db.execute(query, (place >> 2,)).fetchone() for place in batch]
            for row, place in zip(rows, batch, strict=True):
                if row is not None:  # else it is gone since
                    yield LISTING.validate_json(zlib.decompress(row["data"])), bool(place & 2), bool(place & 1)

    def listing(self, repo: str) -> hub.Listing:
        """What the listings said of a model when the Hub was last asked.

        Raises:
            SourceError: it was in none of them.
        """
        with self._open() as db:
            row = db.execute("SELECT data FROM listings WHERE repo = ? COLLATE NOCASE", (repo,)).fetchone()
        if row is None:
            raise hub.SourceError(f"{repo} is not known offline.", fix="run it once with a network", kind="missing")
        return LISTING.validate_json(zlib.decompress(row["data"]))

    def recall(self, key: str, *, since: float = 0.0) -> Any:
        """The JSON value that was kept under the key at that moment (seconds since 1970) or later; None for none."""
        with self._open() as db:
            row = db.execute("SELECT data FROM kept WHERE key = ? AND at >= ?", (key, since)).fetchone()
        return json.loads(zlib.decompress(row["data"])) if row else None

    def keep(self, key: str, value: Any) -> None:
        """Keep a JSON value under the key."""
        data = zlib.compress(json.dumps(value).encode())
        with self._open(writing=True) as db:
            db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (key, time.time(), data))

    @contextmanager
    def _open(self, *, writing: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection whose statements take effect together when the block ends well; a writer has its turn alone."""
        try:
            db = sqlite3.connect(self.path, timeout=WAIT)
        except sqlite3.OperationalError as error:
            raise _unusable(self.path, error) from error
        db.row_factory = sqlite3.Row
        try:
            with db:
                if writing:
                    db.execute("BEGIN IMMEDIATE")
                yield db
        except sqlite3.DatabaseError as error:
            raise _unusable(self.path, error) from error
        finally:
            db.close()


def open_snapshot() -> Snapshot:
    """The snapshot of this Hub as this token sees it; one that is damaged or of an older form is made anew.

    Raises:
        HubExpertError: its folder cannot be written.
    """
    path = hub.cache_folder() / f"{hub.identity()}.sqlite3"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _prepare(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # locked, no room, no permission: not its content
            raise _unusable(path, error) from error
        path.unlink()
        _prepare(path)
    return Snapshot(path)


def _prepare(path: Path) -> None:
    db = sqlite3.connect(path, timeout=WAIT)
    try:
        with db:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    db.execute(f'DROP TABLE "{table}"')
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
    finally:
        db.close()


def _read(db: sqlite3.Connection, tag: str) -> State:
    row = db.execute("SELECT * FROM queries WHERE tag = ?", (tag,)).fetchone()
    return State(**{key: row[key] for key in row.keys() if key != "tag"}) if row else State()  # noqa: SIM118


def _write(db: sqlite3.Connection, tag: str, state: State) -> None:
    """Keep the state, unless another process has begun a newer reading or knows more of the same one."""
    before, columns = _read(db, tag), asdict(state)
    if state.run < before.run or (state.run == before.run and (before.newest or 0.0) > (state.newest or 0.0)):
        return
    names, marks = ", ".join(columns), ", ".join("?" * (1 + len(columns)))
    # The names are those of this module's own record.
    db.execute(f"INSERT OR REPLACE INTO queries (tag, {names}) VALUES ({marks})", (tag, *columns.values()))  # noqa: S608


def moment(listing: hub.Listing) -> float:
    """When a model last changed, in seconds since 1970; 0 where that is not told."""
    try:
        return datetime.fromisoformat(listing.last_modified or "").timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _row(model: hub.Listing) -> tuple[str, str | None, int, int, float, bytes]:
    """A listing as a row; of its files only those of an adapter are kept."""
    kept = replace(model, files=tuple(name for name in model.files if name.startswith("adapter_"))[:50])
    data = zlib.compress(LISTING.dump_json(kept))
    return model.source.repo, model.base, model.downloads, model.likes, moment(model), data


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _unusable(path: Path, error: sqlite3.Error) -> HubExpertError:
    fix = f"make room, set HF_HOME to a folder you can write, or delete {path}"
    return HubExpertError(f"What is known of the Hub cannot be kept in {path} ({error}).", fix=fix)
