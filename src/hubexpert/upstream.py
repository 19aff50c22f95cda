"""What an expert rests on, and what became of it on the Hub since it was pinned."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hubexpert import hub
from hubexpert.discover.aliases import split_base
from hubexpert.lock import Lock, taken
from hubexpert.recipe import is_folder, parse_recipe
from hubexpert.records import Source

CONFIG = {"the base": "config.json", "the expert": "adapter_config.json"}


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

    kind: Literal["missing", "gated", "broken", "renamed", "moved", "licence"]
    sentence: str


def upstream(lock: Lock) -> tuple[Upstream, ...]:
    """The base, the experts, and the datasets that rows or passages were taken of; without folders and files."""
    recipe = parse_recipe(lock.recipe, name="the recipe in the lock")
    experts, data = _asked(recipe.discover.include), recipe.data
    datasets = _asked((*data.datasets, *(data.knowledge.sources if data.knowledge else ())))
    base = () if is_folder(lock.base.repo) else (Upstream("the base", lock.base, split_base(recipe.base)[1]),)
    chosen = (expert.source for expert in lock.build.experts)
    return (
        *base,
        *(Upstream("the expert", source, experts.get(source.repo.lower())) for source in chosen),
        *(Upstream("the dataset", source, datasets.get(source.repo.lower())) for source in taken(lock)),
    )


def changes(one: Upstream) -> Iterator[Change]:
    """What became of it, at the revision that the recipe asked for; one request, two where it is gated.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    try:
        now = _now(one)
    except hub.SourceError as error:
        if error.kind == "failing":
            raise
        yield Change(error.kind, f"{one.name}: {error.message}")
        return
    then = one.pinned
    if not f"/{now.repo}".lower().endswith(f"/{then.repo}".lower()):  # `gpt2` is no other name
        yield Change("renamed", f"{one.name} is called {now.repo} now")
    if now.revision != then.revision:
        yield Change("moved", f"{one.name} moved from {then.revision[:8]} to {now.revision[:8]}")
    if now.license != then.license:
        told = f"from {then.license or 'none'} to {now.license or 'none'}"
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


def _now(one: Upstream) -> Source:
    """The source as it is now. Not `hub.resolve`: that falls back on the cache when the Hub cannot be reached."""
    if one.pinned.repo_type == "dataset":
        return hub.look_dataset(one.pinned.repo, one.asked).source
    listing = hub.look(one.pinned.repo, one.asked)
    if listing.gated and listing.source.revision == one.pinned.revision:
        hub.read_json(one.pinned, CONFIG[one.role])  # whether a gated repository is open to us shows only at a file
    return listing.source


def _asked(entries: tuple[str, ...]) -> dict[str, str | None]:
    """Repository -> the revision behind its `@`."""
    named = [entry.strip().partition("@") for entry in entries]
    return {repo.lower(): revision or None for repo, _, revision in named}
