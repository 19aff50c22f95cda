"""Rows of open datasets that resemble the shots, as training examples (Open Knowledge, Algorithm 2)."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hubexpert.embed.encoder import Floats
from hubexpert.embed.exact import DECIMALS, Bools, Places
from hubexpert.embed.search import closest
from hubexpert.instructions.duplicates import Deduped, dedup
from hubexpert.records import Example, Harvest, Origin, RefusedRow, Row, TrainingExample

DUPLICATE = "near-duplicate"
SAMPLES = 5  # refused rows that are kept to be shown
SHOWN = 200  # characters of each


class RowAccess(Protocol):
    """The rows of one split on disk."""

    @property
    def count(self) -> int:
        """How many there are."""

    def at(self, places: Sequence[int]) -> list[Row]:
        """The rows at these places, in the order given."""


def example_text(example: Example) -> str:
    """What is embedded of an example, a shot or a row: instruction, input and output, joined by newlines."""
    return "\n".join(part for part in (example.instruction, example.input, example.output) if part)


def select(
    rows: Sequence[RowAccess],
    parts: Sequence[Floats],
    shots: Floats,
    *,
    count: int,
    similarity: float,
    allowed: Sequence[Bools],
    quiet: bool = False,
) -> Harvest:
    """The rows with the highest cosine to any shot, without those that resemble a closer one (Algorithm 2).

    Args:
        rows: of each dataset.
        parts: the vectors of their `example_text` `[rows, dimensions]`, of unit length.
        shots: the shots' vectors `[shots, dimensions]`.
        count: how many rows are looked for (C); near-duplicates are dropped from these and not replaced.
        similarity: the cosine above which two rows are near-duplicates (tau).
        allowed: for each dataset which of its rows may be taken `[rows]`; all of these have an example.
        quiet: show no progress.

    Returns:
        The kept examples, the closest first. What was not among the `count` closest is neither kept nor refused.

    Raises:
        ValueError: rows and vectors do not belong together, or an allowed row has no example.
    """
    if [each.count for each in rows] != [len(part) for part in parts]:
        raise ValueError("rows and vectors do not belong together")
    places = closest(parts, shots, count, allowed=allowed, quiet=quiet)
    taken = _read(rows, places)
    found = dedup(_vectors(parts, places, shots.shape[1]), similarity)
    refused = [_refused(taken, found, place) for place in range(len(taken)) if not found.keep[place]]
    return Harvest(
        method="select",
        considered=sum(int(mask.sum()) for mask in allowed),
        kept=tuple(_kept(taken[i], float(places.closeness[i])) for i in range(len(taken)) if found.keep[i]),
        refused={DUPLICATE: len(refused)} if refused else {},
        samples=tuple(refused[:SAMPLES]),
    )


def _read(rows: Sequence[RowAccess], places: Places) -> list[Row]:
    """The rows at the places, in their order; each dataset is read once."""
    taken: dict[int, Row] = {}
    for part, access in enumerate(rows):
        chosen = np.flatnonzero(places.part == part)
        taken |= dict(zip(chosen.tolist(), access.at(places.row[chosen].tolist()), strict=True))
    return [taken[place] for place in range(len(taken))]


def _vectors(parts: Sequence[Floats], places: Places, dimensions: int) -> Floats:
    vectors = np.empty((len(places.row), dimensions), np.float32)
    for part, stored in enumerate(parts):
        chosen = places.part == part
        vectors[chosen] = stored[places.row[chosen]]
    return vectors


def _kept(row: Row, closeness: float) -> TrainingExample:
    if row.example is None:
        raise ValueError(f"row {row.row} of {row.source.repo} has no example")
    origin = Origin(method="select", closeness=round(closeness, DECIMALS), **row.place)
    return TrainingExample(example=row.example, origin=origin)


def _refused(taken: Sequence[Row], found: Deduped, place: int) -> RefusedRow:
    row, like = taken[place], taken[int(found.like[place])]
    split = f"{like.config}/{like.split}" if like.config else like.split
    return RefusedRow(
        **row.place,
        code=DUPLICATE,
        reason=f"it resembles row {like.row} of {like.source.repo} ({split}), which is closer to the shots: "
        f"their cosine is {found.cosine[place]:.3f}",
        text=example_text(row.example)[:SHOWN] if row.example else "",
    )
