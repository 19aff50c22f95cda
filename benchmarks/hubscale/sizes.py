"""Discovery at one size of the Hub: what each run costs, and whether it said what was planted."""

import math
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from hubexpert.localhub import Store

from .counting import CountingProxy, counting
from .pool import ADAPTERS, BASE, CHANGED_RANK, Pool, change_pool, make_pool
from .runs import Run, discover, run, served

PAGE = 1000  # entries of a page that discovery asks for; the Hub gives no more
CHANGED, DELETED = 25, 5  # adapters, between two runs


@dataclass(frozen=True)
class Check:
    """Something that must hold: what was measured, and the bound in words."""

    name: str
    measured: str
    bound: str
    holds: bool


@dataclass(frozen=True)
class Scene:
    """A Hub that runs, with what it holds.

    Attributes:
        store: its store.
        pool: what was made.
        proxy: the way to it.
        homes: a folder for the `HF_HOME`s of runs.
        limit: adapters that a run inspects at most.
        made: seconds that making the store took.
    """

    store: Store
    pool: Pool
    proxy: CountingProxy
    homes: Path
    limit: int
    made: float

    def discover(self, home: str, *options: str) -> Run:
        """A run of `hubexpert discover` for the base."""
        command = discover(BASE, "--limit", str(self.limit), *options)
        return run(command, self.proxy, self.homes / home)


@contextmanager
def scene(root: Path, *, adapters: int, repos: int, limit: int) -> Iterator[Scene]:
    """Make the store in a new folder under `root` and serve it, as long as the block runs; then remove it."""
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"hub-{adapters}-", dir=root))
    try:
        begun = time.perf_counter()
        store = Store(folder / "hub")
        pool = make_pool(store, folder / "files", adapters=adapters, repos=repos)
        made = time.perf_counter() - begun
        with served(store.root) as endpoint, counting(endpoint) as proxy:
            yield Scene(store, pool, proxy, folder / "homes", limit, made)
    finally:
        shutil.rmtree(folder)


def needed_pages(scene: Scene, tags: Iterable[str]) -> int:
    """Pages that listing these tags wholly takes, by the store's own count."""
    with scene.store.reading() as db:
        sizes = [
            db.execute("SELECT COUNT(*) FROM tags t JOIN repos r ON r.key = t.repo WHERE tag = ?", (tag,)).fetchone()[0]
            for tag in tags
        ]
    return sum(max(1, math.ceil(size / PAGE)) for size in sizes)


def planted(run: Run, pool: Pool) -> Check:
    """Every adapter of the base told once, with the planted verdict, or as left out by the limit; nothing else told."""
    told = {line["repo"]: line["verdict"] for line in run.lines}
    allowed = {repo: (ADAPTERS[kind].verdict, "beyond-limit") for repo, kind in pool.kinds.items()}
    wrong = [repo for repo, verdict in told.items() if verdict not in allowed.get(repo, ())]
    lost = allowed.keys() - told.keys()
    holds = not wrong and not lost and len(told) == len(run.lines)
    measured = f"{len(run.lines):,} told, {len(run.lines) - len(told)} twice, {len(lost)} lost, {len(wrong)} wrong"
    return Check("every adapter once, with the planted verdict", measured, f"{len(allowed):,} planted", holds)


def same(name: str, one: Run, other: Run) -> Check:
    """The same lines; their downloads and so their order apart, since reading a configuration counts as a download."""
    those = [{line["repo"]: {**line, "downloads": 0} for line in run.lines} for run in (one, other)]
    differing = sum(those[0].get(repo) != those[1].get(repo) for repo in {**those[0], **those[1]})
    return Check(name, f"{differing} of {len(one.lines):,} lines differ", "0", differing == 0)


def at_most(name: str, measured: float, bound: float, told: str = "") -> Check:
    """A number that must not be larger than another."""
    return Check(name, f"{measured:,.4g}", f"≤ {bound:,.4g}{told and f' ({told})'}", measured <= bound)


def first_and_second(scene: Scene, cold: Run, warm: Run, share: float) -> list[Check]:
    """What must hold of the first run and of the one right after it, which may take `share` of its requests."""
    pages = needed_pages(scene, tags_asked(cold))
    told = f"{warm.of_adapters} of {cold.of_adapters}"
    bound = pages + 2 * cold.inspected
    return [
        at_most("requests about adapters, first run", cold.of_adapters, bound, f"{pages} pages + 2 × {cold.inspected}"),
        at_most("listing pages of the first run", cold.counts["listing"], pages, "as many as the listings have"),
        at_most("adapters inspected", cold.inspected, scene.limit),
        at_most("share of the requests about adapters, second run", warm.of_adapters / cold.of_adapters, share, told),
        planted(cold, scene.pool),
        same("second run tells the same", cold, warm),
    ]


def tags_asked(run: Run) -> dict[str, int]:
    """Tag -> pages that a run asked for of its listing."""
    listings = (asked for asked in run.asked if asked.kind == "listing")
    return Counter(parse_qs(urlsplit(asked.path).query)["filter"][0] for asked in listings)


def changes(scene: Scene, before: Run) -> tuple[Pool, frozenset[str], tuple[str, ...]]:
    """Change and add `CHANGED` adapters and delete `DELETED`; the pool as it is then, the former, and the latter.

    Half of those that change, and some of the deleted ones, are among the inspected ones, so that it matters.
    """
    first = [line["repo"] for line in before.lines if line["verdict"] == "accepted"]
    first = [repo for repo in first if scene.pool.kinds[repo] == "good"]
    last = [line["repo"] for line in before.lines if line["verdict"] == "beyond-limit"]
    last = [repo for repo in last if scene.pool.kinds[repo] == "good"]
    changed, deleted = (*first[:6], *last[:6]), (*first[6:8], *last[6 : 4 + DELETED])
    added = CHANGED - len(changed)
    files = scene.homes.with_name("changed")
    pool = change_pool(scene.store, files, scene.pool, changed=changed, added=added, deleted=deleted)
    return pool, frozenset((*changed, *(pool.kinds.keys() - scene.pool.kinds.keys()))), deleted


def after_changes(scene: Scene, pool: Pool, new: frozenset[str], run: Run) -> list[Check]:
    """What must hold of the first run after changes; deletions are only seen by a reading from the beginning."""
    with scene.store.reading() as db:
        heads = {row["id"]: row["head"] for row in db.execute("SELECT id, head FROM repos WHERE type = 'model'")}
    known = {line["repo"]: line for line in run.lines}
    right = sum(repo in known and known[repo]["revision"] == heads[repo] for repo in new)
    ranks = [known[repo]["rank"] for repo in new if repo in known and known[repo]["verdict"] == "accepted"]
    bound = len(tags_asked(run)) + 2 * (CHANGED + DELETED)
    told = f"a page a listing + 2 × {CHANGED + DELETED}"
    return [
        Check("changed adapters told at their new commit", str(right), str(len(new)), right == len(new)),
        Check("of these inspected anew", str(len(ranks)), "every one inspected has its new rank", _all_new(ranks)),
        at_most("requests about adapters, after changes", run.of_adapters, bound, told),
        Check(
            "adapters told after changes",
            f"{len(known):,}",
            f"≥ {len(pool.kinds):,}",
            pool.kinds.keys() <= known.keys(),
        ),
    ]


def _all_new(ranks: list[int]) -> bool:
    return bool(ranks) and set(ranks) == {CHANGED_RANK}
