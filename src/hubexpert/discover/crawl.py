"""Bringing the snapshot up to date: whole listings the first time, then only what changed."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from hubexpert import hub
from hubexpert.discover.snapshot import Snapshot, State, moment
from hubexpert.errors import HubExpertError
from hubexpert.progress import track

FRESH = 7 * 24 * 3600.0  # seconds; deletions, downloads and likes are only seen by a reading from the beginning
RECENT = 3600.0  # seconds; so little changes in an hour that a small page holds it
OVERLAP = 600.0  # seconds
RESTARTS = 3
PARALLEL = 4  # listings that are read side by side; their pages lie in memory
PAGES = 400  # of one listing; the Hub allows an anonymous user 500 requests in five minutes
Tick = Callable[[int], None]


class _Stopped(Exception):
    """Another query has failed."""


@dataclass(frozen=True)
class Query:
    """A tag whose models are looked through.

    Attributes:
        tag: one that the Hub has computed or that cards give.
        full: keep all that the listing says; else only the names.
        most: entries that are read at most, most downloaded first; of no listing more than `PAGES` pages are.
    """

    tag: str
    full: bool = True
    most: int | None = None


def bring_up_to_date(
    snapshot: Snapshot, queries: Sequence[Query], *, pace: hub.Pace, refresh: bool = False, quiet: bool = False
) -> None:
    """Read what the Hub lists under each query since it was last asked; everything, the first time.

    Every page is kept as it comes, so a killed run goes on where it was. The queries run side by side.

    Args:
        snapshot: where it is kept.
        queries: what is looked through.
        pace: of the requests.
        refresh: read everything from the beginning.
        quiet: no progress on stderr.

    Raises:
        HubExpertError: the Hub cannot be reached, is offline, or refuses.
    """
    told: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    stop = threading.Event()

    def tick(count: int) -> None:
        if stop.is_set():
            raise _Stopped
        told.put(count)

    with ThreadPoolExecutor(PARALLEL) as pool:
        crawls = [pool.submit(_crawl, snapshot, query, pace, refresh, tick) for query in queries]
        for crawl in crawls:
            crawl.add_done_callback(lambda _: told.put(None))
        try:
            for _ in track(_ticks(told, crawls), "Reading the Hub's listings", quiet=quiet):
                pass
        except BaseException:  # the Hub is away, or the user has enough: the others end with the page in hand
            stop.set()
            pace.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for crawl in crawls:
        crawl.result()


def _ticks(told: "queue.SimpleQueue[int | None]", crawls: Sequence[Future[None]]) -> Iterator[None]:
    """One item for every entry that was read, until all crawls have ended or one has failed."""
    running = len(crawls)
    while running:
        count = told.get()
        if count is None:
            running -= 1
            failed = next((crawl for crawl in crawls if crawl.done() and crawl.exception()), None)
            if failed:
                failed.result()
        yield from (None for _ in range(count or 0))


def _crawl(snapshot: Snapshot, query: Query, pace: hub.Pace, refresh: bool, tick: Tick) -> None:
    """Bring one query up to date."""
    tick(0)  # ends here if another one has failed before this one began
    state = snapshot.state(query.tag)
    fresh = state.finished is not None and time.time() - state.finished < FRESH
    try:
        if fresh and state.next is None and not refresh:
            return _read_changes(snapshot, query, state, pace, tick)
        if state.next is not None and not refresh:
            return _read_all(snapshot, query, state, pace, tick)
    except hub.CursorError:
        pass  # it no longer knows the place: from the beginning
    for _ in range(RESTARTS):
        try:
            return _read_all(snapshot, query, snapshot.begin(query.tag), pace, tick)
        except hub.CursorError:
            continue
    raise HubExpertError(
        f"The Hub loses the place in its listing of {query.tag!r} again and again.", fix="try again later"
    )


def _read_all(snapshot: Snapshot, query: Query, state: State, pace: hub.Pace, tick: Tick) -> None:
    """Read the listing from where `state` stands to its end."""
    for count, page in enumerate(hub.model_pages(query.tag, full=query.full, resume=state.next, pace=pace), 1):
        began = state.began if state.began is not None else page.asked
        seen = state.seen + len(page.models)
        state = replace(state, next=page.next, began=began, seen=seen)
        enough = count >= PAGES or (query.most is not None and seen >= query.most)
        done = page.next is None or enough
        if done:
            now = time.time()
            state = replace(
                state, next=None, cut=page.next is not None, newest=_before(began, now), finished=now, updated=now
            )
        snapshot.add(query.tag, page.models, state, full=query.full, last=done)
        tick(len(page.models))
        if done:
            return


def _read_changes(snapshot: Snapshot, query: Query, state: State, pace: hub.Pace, tick: Tick) -> None:
    """Read what changed since the Hub was last asked, last changes first."""
    size = 100 if time.time() - (state.updated or 0.0) < RECENT else 1000
    asked: float | None = None
    for count, page in enumerate(hub.model_pages(query.tag, sort="modified", size=size, full=query.full, pace=pace), 1):
        if count > PAGES:
            raise hub.CursorError  # so much has changed that reading it all anew costs no more
        asked = asked or page.asked
        done = page.next is None or any(0 < moment(model) < (state.newest or 0.0) for model in page.models)
        now = time.time()
        after = replace(state, newest=max(_before(asked, now), state.newest or 0.0), updated=now) if done else state
        snapshot.add(query.tag, page.models, after, full=query.full)
        tick(len(page.models))
        if done:
            return


def _before(asked: float | None, now: float) -> float:
    """The moment before which every change is known: the Hub's clock may be wrong, and its index late."""
    return min(now if asked is None else asked, now) - OVERLAP
