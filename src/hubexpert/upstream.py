"""What an expert rests on, and what became of it on the Hub since it was pinned."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

from hubexpert import hub
from hubexpert.discover.aliases import split_base
from hubexpert.lock import Lock, taken
from hubexpert.recipe import Recipe, is_folder, parse_recipe
from hubexpert.records import Source

BASE, EXPERT, DATASET = "the base", "the expert", "the dataset"
PARALLEL = 8
MANY = 2  # owners of experts, above which one listing of the base's adapters is asked for instead


@dataclass(frozen=True)
class Upstream:
    """A source that the lock pins.

    Attributes:
        role: `the base`, `the expert` or `the dataset`.
        pinned: at the lock's commit, with the licence of that time.
        asked: the revision that the recipe asked for; None: the main branch.
    """

    role: str
    pinned: Source
    asked: str | None

    @property
    def name(self) -> str:
        """What sentences call it."""
        return f"{self.role} {self.pinned.repo}"


@dataclass(frozen=True)
class Change:
    """One thing that became of a source.

    Attributes:
        kind: `missing`, `gated` or `broken`: it cannot be had; `renamed`; `moved`: the branch has another commit;
            `licence`.
        sentence: that tells it.
    """

    kind: hub.SourceError.Kind | Literal["renamed", "moved", "licence"]
    sentence: str


def upstream(lock: Lock) -> tuple[Upstream, ...]:
    """The base, the experts, and the datasets that rows or passages were taken of; without folders and files."""
    recipe = parse_recipe(lock.recipe, name="the recipe in the lock")
    base = () if is_folder(lock.base.repo) else (Upstream(BASE, lock.base, split_base(recipe.base)[1]),)
    return (*base, *asked_for(recipe, [expert.source for expert in lock.build.experts], taken(lock)))


def asked_for(recipe: Recipe, experts: Iterable[Source], datasets: Iterable[Source]) -> tuple[Upstream, ...]:
    """Experts and datasets, with the revisions that the recipe asks for."""
    data = recipe.data
    models = _asked(recipe.discover.include)
    rows = _asked((*data.datasets, *(data.knowledge.sources if data.knowledge else ())))
    return (
        *(Upstream(EXPERT, source, models.get(source.repo.lower())) for source in experts),
        *(Upstream(DATASET, source, rows.get(source.repo.lower())) for source in datasets),
    )


def now(one: Upstream, pace: hub.Pace) -> Source | hub.SourceError:
    """The source as it is at the revision that the recipe asked for, or why it cannot be had.

    One request; two where it is gated.

    Args:
        one: the source.
        pace: of the work the requests belong to.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    try:
        return _looked_at(one, pace)
    except hub.SourceError as error:
        if error.kind == "failing":
            raise
        return error


def now_all(sources: Sequence[Upstream], pace: hub.Pace) -> list[Source | hub.SourceError]:
    """What `now` gives of each, side by side; of an owner that several belong to, the Hub is asked once.

    It is asked once for experts of more than two owners, too, by a listing of the base's adapters. What such a listing
    does not hold (it is gone, gated, renamed, or one of very many) is asked for by itself.

    Args:
        sources: what is asked for.
        pace: of the work the requests belong to.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    with ThreadPoolExecutor(PARALLEL) as pool:
        try:
            found = pool.map(_listed, _listings(sources, pace))
            known = {(head.source.repo_type, head.source.repo.lower()): head for heads in found for head in heads}
            return list(pool.map(lambda one: _told(one, known.get(_key(one))) or now(one, pace), sources))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _listings(sources: Sequence[Upstream], pace: hub.Pace) -> list[Callable[[], tuple[hub.Head, ...]]]:
    """The listings that spare more requests than they cost."""
    free = [one for one in sources if not one.asked]  # a listing tells of main branches alone
    base = next((one.pinned.repo for one in sources if one.role == BASE), None)
    asks: list[Callable[[], tuple[hub.Head, ...]]] = []
    if base and len({_owner(one) for one in free if one.role == EXPERT}) > MANY:
        asks.append(partial(hub.adapter_heads, base, pace=pace))
        free = [one for one in free if one.role != EXPERT]
    owners = Counter(_owner(one) for one in free)
    return asks + [partial(hub.heads, *owner, pace=pace) for owner, count in owners.items() if count > 1 and owner[0]]


def _listed(ask: Callable[[], tuple[hub.Head, ...]]) -> tuple[hub.Head, ...]:
    """What a listing tells; nothing where the Hub refuses it: each source is then asked for by itself."""
    try:
        return ask()
    except hub.SourceError:
        return ()


def changes(one: Upstream, found: Source | hub.SourceError) -> Iterator[Change]:
    """What became of it, given what `now` found."""
    if isinstance(found, hub.SourceError):
        yield Change(found.kind, f"{one.name}: {found.message}")
        return
    then = one.pinned
    if not f"/{found.repo}".lower().endswith(f"/{then.repo}".lower()):  # `gpt2` is no other name
        yield Change("renamed", f"{one.name} is called {found.repo} now")
    if found.revision != then.revision:
        yield Change("moved", f"{one.name} moved from {then.revision[:8]} to {found.revision[:8]}")
    if found.license != then.license:
        told = f"from {then.license or 'none'} to {found.license or 'none'}"
        yield Change("licence", f"{one.name} changed its licence {told}")


def is_lost(one: Upstream) -> bool:
    """Whether the pinned commit can no longer be had; one request.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    look = hub.look_dataset if one.pinned.repo_type == "dataset" else hub.look
    try:
        look(one.pinned.repo, one.pinned.revision)
    except hub.SourceError as error:
        if error.kind == "failing":
            raise
        return True
    return False


def _looked_at(one: Upstream, pace: hub.Pace) -> Source:
    """The source as it is now. Not `hub.resolve`: that falls back on the cache when the Hub cannot be reached."""
    look = hub.look_dataset if one.pinned.repo_type == "dataset" else hub.look
    found = look(one.pinned.repo, one.asked, pace=pace)
    if found.gated:
        hub.see_open(found.source, pace=pace)
    return found.source


def _owner(one: Upstream) -> tuple[str, Literal["model", "dataset"]]:
    return one.pinned.repo.rpartition("/")[0], one.pinned.repo_type


def _key(one: Upstream) -> tuple[Literal["model", "dataset"], str]:
    return one.pinned.repo_type, one.pinned.repo.lower()


def _told(one: Upstream, head: hub.Head | None) -> Source | None:
    """The source as a listing tells it; None where it has to be asked for."""
    return head.source if head and not head.gated and not one.asked else None


def _asked(entries: tuple[str, ...]) -> dict[str, str | None]:
    """Repository -> the revision behind its `@`."""
    named = [entry.strip().partition("@") for entry in entries]
    return {repo.lower(): revision or None for repo, _, revision in named}
