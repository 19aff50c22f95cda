"""Passages found by the words that they share with a query, ranked by BM25."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubexpert.knowledge.index import Index
from hubexpert.knowledge.split import one_line
from hubexpert.knowledge.terms import terms
from hubexpert.progress import track

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
GROUP = 64  # passages of which the best one is looked at first


@dataclass(frozen=True)
class Hits:
    """The passages found for one query, those with the highest score first, equal ones by number: `[found]` each."""

    ids: Ints
    scores: Floats


def search(index: Index, queries: Sequence[str], k: int, *, quiet: bool = False) -> list[Hits]:
    """The `k` passages of each query with the highest scores; fewer where fewer share a word with it.

    The score is BM25 as Lucene computes it, with k1 = 1.5 and b = 0.75, over the words of title and text (`terms`):
    the sum over the words q of the query, each as often as it stands there, of
    `ln(1 + (N - n(q) + 0.5) / (n(q) + 0.5)) * f / (f + k1 * (1 - b + b * l / mean l))`, where n(q) of N passages hold
    the word, this one f times among its l words (Kamphuis et al., ECIR 2020, table 1).

    Args:
        index: of the knowledge.
        queries: searched for by as many threads as there are CPUs, or as `OMP_NUM_THREADS` allows.
        k: how many.
        quiet: show no progress.
    """
    asked = [_known(index, query) for query in queries]  # here: stemmers are not made for threads
    with ThreadPoolExecutor(_threads()) as pool:
        found = pool.map(lambda words: _best(_all_scores(index, words), k), asked)
        return list(track(found, "searching", total=len(asked), quiet=quiet))


def scores(index: Index, query: str, ids: Sequence[int] | Ints) -> Floats:
    """The scores of these passages for the query `[ids]`, as `search` gives them; 0 where no word is shared.

    Args:
        index: of the knowledge.
        query: a question, or a rationale.
        ids: numbers of passages, in any order.

    Raises:
        IndexError: there is no such passage.
    """
    wanted = np.asarray(ids, np.int64)
    if wanted.size and not (wanted.min() >= 0 and wanted.max() < len(index)):
        raise IndexError(f"a number outside {len(index)} passages")
    total, wanted = np.zeros(len(wanted), np.float32), wanted.astype(np.int32)  # as the postings: they are not copied
    for word in _known(index, query):
        holders, values = _postings(index, word)
        places = np.minimum(np.searchsorted(holders, wanted), len(holders) - 1)
        total += np.where(holders[places] == wanted, values[places], np.float32(0))
    return total


def _known(index: Index, query: str) -> list[int]:
    """The numbers of the query's words that stand in any passage, in order."""
    numbers = index.bm25.vocab_dict
    return [numbers[term] for term in terms(one_line(query), index.about.language) if term in numbers]


def _postings(index: Index, word: int) -> tuple[NDArray[np.int32], Floats]:
    """The passages that hold the word, in order, and what it adds to the score of each."""
    held: dict[str, Any] = index.bm25.scores
    begin, end = held["indptr"][word : word + 2]
    return held["indices"][begin:end], held["data"][begin:end]


def _all_scores(index: Index, words: Sequence[int]) -> Floats:
    """The scores of all passages `[passages]`."""
    total = np.zeros(len(index), np.float32)
    for word in words:
        holders, values = _postings(index, word)
        np.add.at(total, holders, values)
    return total


def _best(total: Floats, k: int) -> Hits:
    """The `k` highest scores above 0 of `[passages]`."""
    groups = len(total) // GROUP
    highest = total[: GROUP * groups].reshape(GROUP, groups).max(axis=0)
    # The k-th highest of these is no higher than the k-th highest of all, so that few have to be sorted.
    bar = np.partition(highest, groups - k)[groups - k] if k <= groups else 0
    ids = np.flatnonzero(total >= bar if bar > 0 else total > 0)
    ids = ids[np.lexsort((ids, -total[ids]))[:k]]
    return Hits(ids.astype(np.int64), total[ids])


def _threads() -> int:
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(told) if told.isdecimal() and int(told) else os.cpu_count() or 1
