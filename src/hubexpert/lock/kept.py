"""What of a run the lock keeps, since the lock is published."""

from collections.abc import Sequence
from typing import Any

from hubexpert.lock.places import placeless
from hubexpert.lock.whole import Lock, LockedData
from hubexpert.recipe import Recipe
from hubexpert.records import ACCEPTED, Data, Discovery, KardReport, ScoreTable, TrainingExample
from hubexpert.workspace import fingerprint

OF_THIS_PLACE = {"url", "key_env", "concurrency", "timeout"}


def without_places(lock: Lock) -> Lock:
    """The lock without the paths of this machine, wherever they stood in it."""
    return Lock.model_validate(placeless(lock.model_dump(mode="json")))


def locked_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as the lock keeps it: without the paths of this machine.

    Of the teacher only what its replies depend on, not where it stands here and how fast it is asked.
    """
    kept: dict[str, Any] = placeless(recipe.model_dump(mode="json"))
    if kept["data"]["teacher"]:
        kept["data"]["teacher"] = {k: v for k, v in kept["data"]["teacher"].items() if k not in OF_THIS_PLACE}
    return kept


def locked_discovery(found: Discovery) -> Discovery:
    """The discovery as the lock keeps it, in order of name: what was inspected or named, and the datasets cited.

    Left out is what changes by itself and changes nothing here: downloads, likes, dates, how many others there are,
    what a search finds; and others' rows.
    """
    own = {"downloads": 0, "likes": 0, "last_modified": None}
    candidates = sorted(
        (c.model_copy(update={**own, "found_by": tuple(sorted(c.found_by))}) for c in found.candidates),
        key=lambda c: (c.source.repo, c.source.revision),
    )
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


def locked_scores(table: ScoreTable) -> ScoreTable:
    """The scores as the lock keeps them, in order of name."""
    scores = sorted(table.scores, key=lambda score: (score.source.repo, score.source.revision))
    refused = sorted(table.refused, key=lambda one: (one.source.repo, one.source.revision))
    return table.model_copy(update={"scores": tuple(scores), "refused": tuple(refused)})


def locked_data(data: Data) -> LockedData | None:
    """What the lock keeps of the data: sources, counts and a digest, no rows; None where nothing was added."""
    if not data.methods:
        return None
    return LockedData(
        examples=sum(each.origin is not None for each in data.examples),
        digest=trained_digest(data.examples),
        methods=tuple(method.model_copy(update={"samples": ()}) for method in data.methods),
        datasets=tuple(sorted(data.datasets, key=lambda use: (use.source.repo, use.config, use.split))),
        unread=data.unread,
    )


def trained_digest(examples: Sequence[TrainingExample]) -> str:
    """The SHA-256 of what is trained on: every example and its weight, in their order, wherever they stood."""
    return fingerprint([[each.example, each.weight] for each in examples])


def locked_kard(report: KardReport | None) -> KardReport | None:
    """What the lock keeps of KARD: counts and scores, no rationale."""
    if report is None:
        return None
    bare = report.distilled.model_copy(update={"rationales": ()})
    return report.model_copy(update={"distilled": bare})
