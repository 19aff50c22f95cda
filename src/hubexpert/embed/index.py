"""An index of many vectors, kept beside them: inverted lists of compressed rows, ranked again by the rows themselves.

Faiss's IVF with four bits a dimension. While it is built only a sample and a block of rows are in memory beside it.
Product quantisation would take half of that; its codes take long to learn, and lose neighbours.
"""

from pathlib import Path
from typing import Any

import numpy as np

from hubexpert.embed.encoder import Floats
from hubexpert.embed.exact import BLOCK, NOWHERE, Bools, Places, best, compared, scan
from hubexpert.errors import needed
from hubexpert.progress import track

SAMPLE = 64  # rows for each list, from which its centre is learned
FIRST_LISTS = 8  # that are searched
FEWER = 8  # where more than this part of all lists were to be searched, comparing all rows is as fast
SETTLED = 0.98  # share of the rows found that must have been found in half as many lists
AGAIN = 4  # rows that are ranked exactly, for each that is wanted
NOTHING = np.empty(0, np.int64)


def index_of(part: np.memmap[Any, np.dtype[np.float32]], *, quiet: bool = False) -> Any:
    """The Faiss index of the vectors in a file, from the file beside it; built first where that is missing.

    Raises:
        HubExpertError: Faiss is not installed.
    """
    faiss = needed("faiss", "searches many vectors")
    file = Path(str(part.filename)).with_suffix(".ivf")
    if file.is_file():
        index = faiss.read_index(str(file))
        if index.ntotal == len(part):
            return index
    index = _built(faiss, part, quiet)
    temporary = file.with_suffix(".ivf-part")
    faiss.write_index(index, str(temporary))
    temporary.replace(file)
    return index


def find(index: Any, part: Floats, number: int, queries: Floats, count: int, allowed: Bools | None) -> Places:
    """The `count` closest allowed rows of one part, nearly all that `scan` finds, with exact closeness.

    Where the index does not settle on them, as for queries unlike any row, all rows are compared.
    """
    found = settled(index, part, number, queries, count, allowed)
    return scan(part, number, queries, count, allowed) if found is None else found


def settled(index: Any, part: Floats, number: int, queries: Floats, count: int, allowed: Bools | None) -> Places | None:
    """What the index finds when twice as many lists are searched until that changes next to nothing; None: it goes on.

    Arguments as those of `find`.
    """
    lists, before = FIRST_LISTS, NOTHING
    while lists <= index.nlist // FEWER:
        found = _search(index, part, number, queries, count, allowed, lists)
        if len(found.row) == count and np.isin(found.row, before).mean() >= SETTLED:
            return found
        lists, before = 2 * lists, found.row
    return None


def _search(
    index: Any, part: Floats, number: int, queries: Floats, count: int, allowed: Bools | None, lists: int
) -> Places:
    """The closest rows in the lists closest to each query, ranked by what the index holds and then by the rows."""
    faiss = needed("faiss", "searches many vectors")
    selector = None
    if allowed is not None:
        bits = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
    how = faiss.SearchParametersIVF(sel=selector, nprobe=lists)
    near, rows = index.search(np.ascontiguousarray(queries), min(AGAIN * count, len(part)), params=how)
    near, rows = near[rows >= 0], rows[rows >= 0]
    order = np.lexsort((rows, -near))
    _, firsts = np.unique(rows[order], return_index=True)  # each row where it is closest
    again = np.sort(rows[order][np.sort(firsts)][: AGAIN * count])
    return best(compared(part, number, again, queries), NOWHERE, count)


def _built(faiss: Any, part: Floats, quiet: bool) -> Any:
    rows, dimensions = part.shape
    lists = max(1, int(rows**0.5))
    index = faiss.index_factory(dimensions, f"IVF{lists},SQ4", faiss.METRIC_INNER_PRODUCT)
    index.train(part[np.linspace(0, rows - 1, min(SAMPLE * lists, rows)).astype(np.int64)])
    for begin in track(range(0, rows, BLOCK), f"indexing, {BLOCK} rows at a time", quiet=quiet):
        index.add(np.ascontiguousarray(part[begin : begin + BLOCK]))
    return index
