"""Adapters of the base that discovery now accepts and that a lock does not know, the most promising first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hubexpert import hub
from hubexpert.discover import without_own
from hubexpert.discover.adapters import discover_adapters
from hubexpert.discover.search import resolve_name
from hubexpert.discover.snapshot import open_snapshot
from hubexpert.experts.cards import cards
from hubexpert.experts.prior import prior
from hubexpert.lock import Lock, taken
from hubexpert.recipe import Recipe, is_local
from hubexpert.records import ACCEPTED, Candidate, Example

TOLD = 5


@dataclass(frozen=True)
class Newcomer:
    """An adapter that the lock does not know, and its place (from 1) in the order in which `of` would be scored."""

    candidate: Candidate
    place: int
    of: int


def newcomers(recipe: Recipe, shots: Sequence[Example], lock: Lock) -> tuple[Newcomer, ...]:
    """The accepted adapters that the lock does not know at their present commits, the most promising first.

    An expert of the lock that has moved is none of them: that is told of the expert. Listings that were read before are
    only brought up to date.

    Args:
        recipe: what is looked for.
        shots: what the adapters' cards are compared with.
        lock: what is known.

    Raises:
        HubExpertError: as `discover`.
    """
    base, snapshot, pace = resolve_name(recipe.base, quiet=True)[0], open_snapshot(), hub.Pace(quiet=True)
    found = discover_adapters(base, without_own(recipe), snapshot, pace, each=lambda _: None, quiet=True)
    accepted = [candidate for candidate in found.candidates if candidate.verdict == ACCEPTED]
    known = {(each.source.repo.lower(), each.source.revision) for each in lock.discovery.candidates}
    experts = {each.source.repo.lower() for each in lock.build.experts}
    unknown = [
        place
        for place, each in enumerate(accepted)
        if (each.source.repo.lower(), each.source.revision) not in known and each.source.repo.lower() not in experts
    ]
    if not unknown:
        return ()
    told, task = cards([each.source for each in accepted]), recipe.task
    order = prior(accepted, told, name=task.name, instruction=task.instruction, shots=shots)
    return tuple(Newcomer(accepted[i], place, len(order)) for place, i in enumerate(order, 1) if i in unknown)


def newcomer_reasons(recipe: Recipe, shots: Sequence[Example], lock: Lock) -> Iterator[str]:
    """One sentence where there are any: how many, and of the most promising ones what speaks for them.

    Raises:
        HubExpertError: as `discover`.
    """
    found = newcomers(recipe, shots, lock)
    if not found:
        return
    named = (name for name in (*recipe.task.datasets, *recipe.data.datasets) if not is_local(name))
    own = {name.partition("@")[0].lower() for name in named} | {source.repo.lower() for source in taken(lock)}
    told = ", ".join(f"{one.candidate.source.repo} ({_facts(one, own)})" for one in found[:TOLD])
    more = f" and {len(found) - TOLD} more" if len(found) > TOLD else ""
    count = "1 new adapter of the base is" if len(found) == 1 else f"{len(found)} new adapters of the base are"
    yield f"{count} accepted: {told}{more}"


def _facts(one: Newcomer, own: set[str]) -> str:
    """Its rank, whether it cites one of our datasets, and its place."""
    facts = [f"rank {one.candidate.rank}"] if one.candidate.rank else []
    facts += ["cites your dataset"] if own & {name.lower() for name in one.candidate.datasets} else []
    return ", ".join((*facts, f"place {one.place} of {one.of} by name and card"))
