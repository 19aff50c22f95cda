"""Is the published expert fresh? Compares the lock with the recipe, the examples, upstream and the published copy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from hubexpert import hub
from hubexpert.lock import DEFAULT_LOCK, Lock, holds, locked_recipe, read_lock
from hubexpert.recipe import Recipe, is_folder, parse_recipe, read_recipe
from hubexpert.records import Record
from hubexpert.shots import digest, read_task
from hubexpert.upstream import changes, upstream


class Status(Record):
    """`stale` with the reasons, or `fresh` without any; `unchecked` says what was not looked at."""

    state: Literal["fresh", "stale"]
    reasons: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


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
    changed = changed_keys(recipe, lock)
    reasons = [f"the recipe changed: {', '.join(changed)}"] if changed else []
    reasons += _example_reasons(recipe, recipe_path.parent, lock)
    if not offline:
        found = (change for one in upstream(lock) for change in changes(one))
        reasons += [change.sentence for change in found if change.kind != "renamed"]  # old names lead to the new ones
        reasons += _published_reasons(recipe, lock)
    return Status(
        state="stale" if reasons else "fresh", reasons=tuple(reasons), unchecked=tuple(_unchecked(lock, offline))
    )


def changed_keys(recipe: Recipe, lock: Lock) -> list[str]:
    """The keys of the recipe with another value than when the lock was written, dotted."""
    now = _flat(locked_recipe(recipe))
    then = _flat(locked_recipe(_recipe_of(lock)))
    return [key for key in (now | then) if now.get(key) != then.get(key)]


def _recipe_of(lock: Lock) -> Recipe:
    return parse_recipe(lock.recipe, name="the recipe in the lock")


def _unchecked(lock: Lock, offline: bool) -> Iterator[str]:
    if offline:
        yield "Offline: upstream and the published repository were not asked."
    if is_folder(lock.base.repo):
        yield "The base is a folder: whether its files changed was not looked at."


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
    if not holds(published, lock):
        yield f"{repo} carries another lock: this one is not published yet"
