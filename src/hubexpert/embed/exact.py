"""The rows closest to any of several queries, by comparing all: blocks of rows pass through memory once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hubexpert.embed.encoder import Floats

BLOCK = 16384  # rows in memory at once
DECIMALS = 5  # of a cosine: equal texts tie, in whichever block they stand and whatever multiplies matrices

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Places:
    """Rows of several parts, the closest first, equally close ones by part and row: `[count]` each.

    `closeness` is the cosine with the closest query.
    """

    part: Ints
    row: Ints
    closeness: Floats


NOWHERE = Places(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


def cosines(ones: Floats, others: Floats) -> Floats:
    """The cosine of every vector of unit length with every other `[ones, others]`, rounded to `DECIMALS`."""
    return np.round(ones @ others.T, DECIMALS)


def best(ones: Places, others: Places, count: int) -> Places:
    """The `count` closest of both."""
    part, row = np.concatenate([ones.part, others.part]), np.concatenate([ones.row, others.row])
    closeness = np.concatenate([ones.closeness, others.closeness])
    order = np.lexsort((row, part, -closeness))[:count]
    return Places(part[order], row[order], closeness[order])


def compared(part: Floats, number: int, rows: Ints, queries: Floats) -> Places:
    """These rows of the part of that number, with their closeness, in the order given."""
    return Places(np.full(len(rows), number), rows, cosines(part[rows], queries).max(axis=1))


def scan(part: Floats, number: int, queries: Floats, count: int, allowed: Bools | None) -> Places:
    """The `count` closest allowed rows of one part, exactly.

    Args:
        part: `[rows, dimensions]` of unit length, in memory or mapped.
        number: the part's.
        queries: `[queries, dimensions]` of unit length.
        count: at most so many.
        allowed: `[rows]`; by default all are.
    """
    found = NOWHERE
    for begin in range(0, len(part), BLOCK):
        end = min(begin + BLOCK, len(part))
        if allowed is None or allowed[begin:end].all():
            closeness = cosines(part[begin:end], queries).max(axis=1)
            block = Places(np.full(end - begin, number), np.arange(begin, end), closeness)
        else:
            block = compared(part, number, begin + np.flatnonzero(allowed[begin:end]), queries)
        found = best(found, block, count)
    return found
