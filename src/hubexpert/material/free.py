"""The rows that any method may take as one sequence, and what ReBase compares of them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from hubexpert.embed.encoder import encode
from hubexpert.material.gathered import Material, vectors_of
from hubexpert.rebase import RowVectors, ShotVectors
from hubexpert.recipe import TaskSection
from hubexpert.records import Row
from hubexpert.rows import RowFile

LOOKED_AT = 100  # rows of a dataset whose instructions tell what it is


@dataclass(frozen=True)
class Free:
    """The rows that any method may take, of all files, as one sequence."""

    files: tuple[RowFile, ...]
    places: tuple[tuple[int, int], ...]  # file, place in it

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.places)

    def __iter__(self) -> Iterator[Row]:
        wanted = set(self.places)
        for number, file in enumerate(self.files):
            yield from (row for place, row in enumerate(file) if (number, place) in wanted)

    def at(self, places: Sequence[int]) -> list[Row]:
        """The rows at these places of the sequence, in the order given."""
        found: dict[int, Row] = {}
        for number, file in enumerate(self.files):
            own = [place for place in places if self.places[place][0] == number]
            if own:
                found |= dict(zip(own, file.at([self.places[place][1] for place in own]), strict=True))
        return [found[place] for place in places]


def free_rows(material: Material) -> Free:
    """The rows that any method may take, file by file."""
    places = [(number, int(place)) for number, free in enumerate(material.free) for place in np.flatnonzero(free)]
    return Free(material.files, tuple(places))


def values(material: Material, rows: Free, task: TaskSection) -> tuple[RowVectors, ShotVectors]:
    """The vectors that `rebase.score` compares: of each value of these rows, of the datasets, of the shots and task.

    A dataset is described by its name and by its first rows' instructions, a task by its name and instruction.
    """
    parts, owners, first = [], [], 0
    for file, free in zip(material.files, material.free, strict=True):
        counts = np.array([len(row.values) for row in file], dtype=int)
        vectors = vectors_of(file, "values", material.encoder, material.folder, material.vectorise, material.quiet)
        parts.append(vectors[np.repeat(free, counts)])
        owners.append(np.repeat(np.arange(first, first + int(free.sum())), counts[free]))
        first += int(free.sum())
    shots = material.task.shots
    told = " ".join(filter(None, (task.name, task.instruction or shots[0].instruction)))
    return (
        RowVectors(
            values=np.concatenate(parts),
            owners=np.concatenate(owners),
            datasets=np.array([number for number, _ in rows.places], dtype=int),
            descriptions=encode(material.encoder, [_description(file) for file in material.files]),
        ),
        ShotVectors(
            inputs=encode(material.encoder, [shot.input for shot in shots]),
            outputs=encode(material.encoder, [shot.output for shot in shots]),
            instruction=encode(material.encoder, [told])[0],
        ),
    )


def _description(file: RowFile) -> str:
    instructions = (row.example.instruction for row in islice(file, LOOKED_AT) if row.example)
    name = re.sub(r"[\W_]+", " ", file.source.repo)
    return "\n".join(dict.fromkeys(filter(None, (name, *instructions))))
