"""The rows of several datasets that are closest to any of several queries."""

from collections.abc import Sequence

import numpy as np

from hubexpert.embed.encoder import Floats
from hubexpert.embed.exact import NOWHERE, Bools, Places, best, scan
from hubexpert.embed.index import find, index_of

EXACT_ROWS = 1_000_000  # allowed rows of one part up to which all are compared


def closest(
    parts: Sequence[Floats],
    queries: Floats,
    count: int,
    *,
    allowed: Sequence[Bools] | None = None,
    quiet: bool = False,
) -> Places:
    """The `count` rows with the highest cosine to any query, over all parts; ties by place (`Places`).

    All rows are compared, block by block. Only of a part in a file with more than `EXACT_ROWS` allowed rows an index is
    built, once, and kept beside the file: of its closest rows a few in a hundred may be missed.

    Args:
        parts: `[rows, dimensions]` each, of unit length: what `embedded` returns.
        queries: `[queries, dimensions]`, at least one, of unit length.
        count: at most so many.
        allowed: `[rows]` for each part: which rows may be found; by default all.
        quiet: show no progress while an index is built.
    """
    found = NOWHERE
    for number, part in enumerate(parts):
        mask = None if allowed is None else allowed[number]
        rows = len(part) if mask is None else int(mask.sum())
        if rows > EXACT_ROWS and isinstance(part, np.memmap):
            more = find(index_of(part, quiet=quiet), part, number, queries, count, mask)
        else:
            more = scan(part, number, queries, count, mask)
        found = best(found, more, count)
    return found
