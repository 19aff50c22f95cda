"""Is the published expert fresh? Compares the lock with the recipe, the examples, upstream and the published copy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from hubexpert import hub
from hubexpert.escape import is_local, shown_name
from hubexpert.lock import DEFAULT_LOCK, Lock, read_lock, render_lock
from hubexpert.recipe import Recipe, parse_recipe, read_recipe
from hubexpert.records import Record, Source
from hubexpert.shots import digest, read_task


class Status(Record):
    """`stale` with the reasons, or `fresh` without any."""

    state: Literal["fresh", "stale"]
    reasons: tuple[str, ...] = ()


def status(recipe_path: Path, *, offline: bool = False) -> Status:
    """Whether another run would find something new to do.

    Args:
        recipe_path: the recipe; the lock lies beside it.
        offline: ask nothing upstream: only recipe and examples are compared.

    Raises:
        HubExpertError: recipe, lock or examples cannot be read, or the Hub cannot be reached.
    """
    recipe = read_recipe(recipe_path)
    lock_path = recipe_path.parent / DEFAULT_LOCK
    if not lock_path.is_file():
        return Status(state="stale", reasons=("nothing built yet",))
    lock = read_lock(lock_path)
    reasons = [*_recipe_reasons(recipe, lock), *_example_reasons(recipe, recipe_path.parent, lock)]
    if not offline:
        reasons += [*_upstream_reasons(lock), *_published_reasons(recipe, lock)]
    return Status(state="stale" if reasons else "fresh", reasons=tuple(reasons))


def _recipe_reasons(recipe: Recipe, lock: Lock) -> Iterator[str]:
    """One reason that names the keys with another value than when the lock was written."""
    now = _flat(recipe.model_dump(mode="json"))
    then = _flat(parse_recipe(lock.recipe, name="the recipe in the lock").model_dump(mode="json"))
    if changed := [key for key in now if now[key] != then.get(key)]:
        yield f"the recipe changed: {', '.join(changed)}"


def _flat(section: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in section.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _example_reasons(recipe: Recipe, folder: Path, lock: Lock) -> Iterator[str]:
    task = read_task(recipe, folder)
    if digest(task.shots) != lock.digests.get("shots"):
        yield "the shots changed"
    recorded = lock.digests.get("test")
    if (task.test or recorded is not None) and digest(task.test) != recorded:
        yield "the held-out examples changed"


def _upstream_reasons(lock: Lock) -> Iterator[str]:
    """What became of the base and the experts since they were pinned."""
    yield from _source_reasons("the base", lock.base, "config.json")
    for expert in lock.build.experts:
        yield from _source_reasons("the expert", expert.source, "adapter_config.json")


def _source_reasons(role: str, pinned: Source, config: str) -> Iterator[str]:
    """Reasons for one source. Not `hub.resolve`: that falls back on the cache when the Hub cannot be reached."""
    name = f"{role} {shown_name(pinned.repo)}"
    if is_local(pinned.repo):
        return
    try:
        listing = hub.look(pinned.repo)
        if listing.gated and listing.source.revision == pinned.revision:
            hub.read_json(pinned, config)  # whether a gated repository is open to us shows only at a file
    except hub.SourceError as error:
        if error.kind == "failing":
            raise
        yield f"{name}: {error.message}"
        return
    if listing.source.revision != pinned.revision:
        yield f"{name} moved from {pinned.revision[:8]} to {listing.source.revision[:8]}"
    if listing.source.license != pinned.license:
        yield f"{name} changed its licence from {pinned.license or 'none'} to {listing.source.license or 'none'}"


def _published_reasons(recipe: Recipe, lock: Lock) -> Iterator[str]:
    """Whether the repository that the recipe names carries this lock."""
    repo = recipe.publish.repo
    if repo is None:
        return
    try:
        head = hub.look(repo).source
        published = hub.download(head, [DEFAULT_LOCK]) / DEFAULT_LOCK
    except hub.SourceError as error:
        if error.kind == "failing":
            raise
        yield f"{repo}: not published yet" if error.kind == "missing" else f"{repo}: {error.message}"
        return
    if published.read_bytes() != render_lock(lock).encode():
        yield f"{repo} carries another lock: this one is not published yet"
