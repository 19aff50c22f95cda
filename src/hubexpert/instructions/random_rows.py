"""Rows drawn at random: the control, against which choosing has to show what it is worth."""

import random
from collections.abc import Sequence

import numpy as np

from hubexpert.embed.exact import Bools
from hubexpert.instructions.selected import RowAccess
from hubexpert.records import Harvest, Origin, TrainingExample


def random_rows(rows: Sequence[RowAccess], allowed: Sequence[Bools], *, count: int, seed: int) -> Harvest:
    """`count` of the allowed rows, each as likely as any other, in the order of datasets and rows.

    Args:
        rows: of each dataset.
        allowed: for each dataset which of its rows may be taken `[rows]`; all of these have an example.
        count: how many; all where there are fewer.
        seed: of the draw.
    """
    places = [(part, int(row)) for part, mask in enumerate(allowed) for row in np.flatnonzero(mask)]
    drawn = sorted(random.Random(seed).sample(places, min(count, len(places))))  # noqa: S311  not for secrets
    kept = []
    for part, access in enumerate(rows):
        for row in access.at([place for number, place in drawn if number == part]):
            assert row.example is not None  # noqa: S101  it is allowed
            kept.append(TrainingExample(example=row.example, origin=Origin(method="random", closeness=0, **row.place)))
    return Harvest(method="random", considered=len(places), kept=tuple(kept))
