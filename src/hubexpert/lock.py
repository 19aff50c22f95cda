"""The lock `hubexpert.lock`: what was resolved and measured. The card is a pure function of it."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from hubexpert.errors import HubExpertError
from hubexpert.recipe import Recipe, is_folder
from hubexpert.records import (
    ACCEPTED,
    Build,
    Data,
    DatasetUse,
    Discovery,
    KardReport,
    MethodReport,
    Record,
    Report,
    ScoreTable,
    Selection,
    Source,
)
from hubexpert.workspace import fingerprint, write_atomically

DEFAULT_LOCK = "hubexpert.lock"
LOCK_VERSION = 1
OF_THIS_PLACE = {"url", "key_env", "concurrency", "timeout"}


class LockedData(Record):
    """What was added to the shots, and where it comes from; of the rows themselves only a digest."""

    examples: int = Field(description="beyond the shots")
    digest: str = Field(description="sha256 of all that was trained on, the shots first")
    methods: tuple[MethodReport, ...]
    datasets: tuple[DatasetUse, ...]
    unread: dict[str, str]


class Lock(Record):
    """Everything the card and a rebuild need; no timestamps, so that equal runs give equal locks."""

    version: int = LOCK_VERSION
    recipe: dict[str, Any]
    base: Source
    discovery: Discovery
    scores: ScoreTable
    selection: Selection
    data: LockedData | None = Field(default=None, description="None where the shots alone were trained on")
    build: Build
    report: Report
    kard: KardReport | None = Field(default=None, description="None without the method of that name")
    digests: dict[str, str] = Field(description="`shots` and `test`: sha256 of the examples as read")


def locked_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as the lock keeps it, since the lock is published: absolute paths shortened to their last part.

    Of the teacher only what its replies depend on, not where it stands here and how fast it is asked.
    """
    kept = recipe.model_dump(mode="json")
    for key in ("shots", "test", "metric"):
        kept["task"][key] = shortened(kept["task"][key])
    kept["data"]["encoder"] = shortened(kept["data"]["encoder"])
    kept["data"]["datasets"] = [unplaced(name) for name in kept["data"]["datasets"]]
    kept["data"]["kard"]["model"] = shortened(kept["data"]["kard"]["model"])
    if kept["data"]["knowledge"]:
        kept["data"]["knowledge"]["sources"] = [unplaced(name) for name in kept["data"]["knowledge"]["sources"]]
    teacher = recipe.data.teacher
    if teacher is not None:
        model = {"model": shortened(teacher.model)}
        kept["data"]["teacher"] = teacher.model_dump(mode="json", exclude=OF_THIS_PLACE) | model
    return kept


def shortened(path: str | None) -> str | None:
    """The last part of an absolute path, or of one in a home; anything else as it is."""
    return Path(path).name if path and (Path(path).is_absolute() or path.startswith("~")) else path


def unplaced(name: str) -> str:
    """A source's name without the path of this machine: of files still told to be files."""
    return f"./{Path(name).name}" if shortened(name) != name else name


def locked_discovery(found: Discovery) -> Discovery:
    """The discovery as the lock keeps it, in order of name: what was inspected or named, and the datasets cited.

    Left out is what changes by itself and changes nothing here: downloads, likes, dates, how many others there are,
    what a search finds; and others' rows.
    """
    own = {"downloads": 0, "likes": 0, "last_modified": None}
    candidates = sorted((c.model_copy(update=own) for c in found.candidates), key=lambda c: c.source.repo)
    bare = {"downloads": 0, "sample": None, "configs": (), "mapping": None, "reason": None, "found_by": ("cited",)}
    cited = sorted((d for d in found.datasets if d.source and d.cited_by), key=lambda d: d.repo)
    return Discovery(
        base=found.base,
        endpoint=found.endpoint,
        candidates=tuple(candidates),
        datasets=tuple(
            d.model_copy(
                update={
                    **bare,
                    "cited_by": tuple(sorted(d.cited_by)),
                    "verdict": ACCEPTED if d.verdict == "no-columns" else d.verdict,  # that hangs on a row
                }
            )
            for d in cited
        ),
    )


def locked_data(data: Data) -> LockedData | None:
    """What the lock keeps of the data: sources, counts and digests, no rows; None where nothing was added."""
    if not data.methods:
        return None
    added = sum(each.origin is not None for each in data.examples)
    methods = tuple(method.model_copy(update={"samples": ()}) for method in data.methods)
    datasets = []
    for each in data.datasets:
        source = each.source.model_copy(update={"repo": unplaced(each.source.repo)})
        datasets.append(each.model_copy(update={"source": source}))
    unread = {unplaced(repo): why for repo, why in data.unread.items()}
    digest = fingerprint(list(data.examples))
    return LockedData(examples=added, digest=digest, methods=methods, datasets=tuple(datasets), unread=unread)


def locked_kard(report: KardReport | None) -> KardReport | None:
    """What the lock keeps of KARD: counts and scores, no rationale, and no absolute path."""
    if report is None:
        return None
    sources = [each.model_copy(update={"repo": unplaced(each.repo)}) for each in report.sources]
    bare = report.distilled.model_copy(update={"rationales": ()})
    return report.model_copy(update={"distilled": bare, "sources": tuple(sources)})


def taken(lock: Lock) -> tuple[Source, ...]:
    """The datasets, each once, of which examples were made or passages are read; files of one's own are left out."""
    used = [each.source for each in (lock.data.datasets if lock.data else ()) if each.taken]
    used += lock.kard.sources if lock.kard else ()
    return tuple(dict.fromkeys(source for source in used if not is_folder(source.repo)))


def write_lock(path: Path, lock: Lock) -> None:
    """Write the lock: one canonical form with sorted keys, so that it diffs well."""
    write_atomically(path, render_lock(lock))


def render_lock(lock: Lock) -> str:
    """The lock's canonical text."""
    return canonical(lock.model_dump(mode="json"))


def canonical(value: Any) -> str:
    """A JSON value in the form of a lock: sorted keys, one a line."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read_lock(path: Path) -> Lock:
    """The lock in the file `path`.

    Raises:
        HubExpertError: the file is missing, damaged or of a version this release does not know.
    """
    if not path.is_file():
        raise HubExpertError(f"There is no lock at {path}.", fix="hubexpert run")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        version = raw.get("version") if isinstance(raw, dict) else None
        if isinstance(version, int) and version > LOCK_VERSION:
            raise HubExpertError(
                f"{path} was written by a newer hubexpert (lock version {version}).", fix="pip install -U hubexpert"
            )
        return Lock.model_validate(raw)
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, no lock
        raise HubExpertError(
            f"{path} is damaged.", fix=f"restore it from version control, or delete {path} and run `hubexpert run`"
        ) from error
