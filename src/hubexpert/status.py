"""Is the published expert fresh? Compares the lock with the recipe, the examples, upstream and the published copy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from hubexpert import hub
from hubexpert.knowledge.sources import is_local_text, pinned
from hubexpert.licenses import conflicts, parts
from hubexpert.lock import DEFAULT_LOCK, Lock, digest_of, holds, locked_recipe, named_in, read_lock, unplaced, used
from hubexpert.recipe import Recipe, is_folder, is_local, parse_recipe, read_recipe
from hubexpert.records import Record, Source
from hubexpert.rows.local import local_dataset
from hubexpert.shots import digest, read_task
from hubexpert.upstream import Change, Upstream, changes, now_all, upstream


class Status(Record):
    """`stale` with the reasons, or `fresh` without any; `unchecked` says what was not looked at."""

    state: Literal["fresh", "stale"]
    reasons: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


def status(recipe_path: Path, *, offline: bool = False, discover: bool = False, quiet: bool = False) -> Status:
    """Whether another run would find something new to do.

    Args:
        recipe_path: the recipe; the lock lies beside it.
        offline: ask nothing upstream: only recipe, examples and files of one's own are compared.
        discover: look for adapters of the base that the lock does not know, too.
        quiet: tell no waits for the Hub.

    Raises:
        HubExpertError: recipe, lock, examples or files of one's own cannot be read, or the Hub cannot be reached.
    """
    recipe = read_recipe(recipe_path)
    lock_path = recipe_path.parent / DEFAULT_LOCK
    if not lock_path.is_file():
        return Status(state="stale", reasons=("nothing built yet",))
    lock = read_lock(lock_path)
    changed = changed_keys(recipe, lock)
    reasons = [f"the recipe changed: {', '.join(changed)}"] if changed else []
    reasons += _example_reasons(recipe, recipe_path.parent, lock)
    reasons += _file_reasons(recipe, recipe_path.parent, lock)
    if not offline:
        pace = hub.Pace(quiet=quiet)
        reasons += _upstream_reasons(recipe, lock, pace)
        reasons += _published_reasons(recipe, lock, pace)
        if discover:
            from hubexpert.newcomers import newcomer_reasons

            reasons += newcomer_reasons(recipe, read_task(recipe, recipe_path.parent).shots, lock)
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


def _file_reasons(recipe: Recipe, folder: Path, lock: Lock) -> Iterator[str]:
    """Which files of one's own have changed that rows or passages were taken of."""
    data, then = recipe.data, {(source.repo, source.revision) for source in used(lock)}
    known = {repo for repo, _ in then}
    rows = [name for name in data.datasets if is_local(name) and _locked_name(name) in known]
    named = (name.strip() for name in (data.knowledge.sources if data.knowledge else ()))
    texts = [name for name in named if is_local_text(name) and _locked_name(name) in known]
    for source in (*(local_dataset(name, folder).source for name in rows), *pinned(texts, folder)):
        if source and (unplaced(source.repo), source.revision) not in then:
            yield f"the dataset {unplaced(source.repo)} changed"


def _locked_name(name: str) -> str:
    """What the lock calls a file of one's own."""
    return unplaced(name if is_folder(name) else f"./{name}")


def _upstream_reasons(recipe: Recipe, lock: Lock, pace: hub.Pace) -> Iterator[str]:
    """What became of the sources, and which of their new licences no longer go together."""
    sources = upstream(lock)
    found = now_all(sources, pace)
    for one, present in zip(sources, found, strict=True):
        yield from (_with_advice(change, one, recipe) for change in changes(one, present))
    if recipe.publish.license:
        return
    licenses = {
        one.pinned: one.pinned.model_copy(update={"license": present.license})
        for one, present in zip(sources, found, strict=True)
        if isinstance(present, Source)
    }
    before, pinned = conflicts(parts(lock)), parts(lock)
    for why in conflicts([licenses.get(part, part) for part in pinned]):
        if why not in before:
            yield f"the licences conflict now, so a new build could not be published: {why}"


def _with_advice(change: Change, one: Upstream, recipe: Recipe) -> str:
    """The change; where the recipe names a repository by its former name, what to write there."""
    data = recipe.data
    named = (recipe.base, *data.datasets, *(data.knowledge.sources if data.knowledge else ()), *recipe.discover.include)
    known = {name.partition("@")[0].strip().lower() for name in named}
    advised = change.kind == "renamed" and one.pinned.repo.lower() in known
    return f"{change.sentence}: name it so in the recipe" if advised else change.sentence


def _published_reasons(recipe: Recipe, lock: Lock, pace: hub.Pace) -> Iterator[str]:
    """Whether the repository that the recipe names carries this lock.

    One request where its newest commit names this lock; of another one the lock itself is read.
    """
    repo = recipe.publish.repo
    if repo is None:
        return
    try:
        head, title = hub.newest(repo, pace=pace)
        named = named_in(title)
        if named and digest_of(lock).startswith(named):
            return
        published = hub.download(head, [DEFAULT_LOCK]) / DEFAULT_LOCK
    except hub.SourceError as error:
        if error.kind == "failing":
            raise
        yield f"{repo}: not published yet" if error.kind == "missing" else f"{repo}: {error.message}"
        return
    if not holds(published, lock):
        yield f"{repo} carries another lock: this one is not published yet"
