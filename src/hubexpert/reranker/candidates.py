"""The passages that a question is compared with in training: what its rationale finds, and what it finds itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Found = tuple[NDArray[Any], NDArray[Any]]  # places of passages and their BM25 scores, the best first
Search = Callable[[Sequence[str], int], Sequence[Found]]
Scores = Callable[[str, NDArray[Any]], NDArray[Any]]
DEPTH = 50  # passages of each query among which candidates are drawn


@dataclass(frozen=True)
class Pool:
    """The candidates of one question.

    Attributes:
        question: the text.
        ids: places of passages `[candidates]`: those the rationale finds, the best first, then the others that the
            question finds, the best first.
        scores: BM25 for the rationale `[candidates]`, as shares of the best one: from 0 to 1. They grow with the
            rationale's length and differ from knowledge base to knowledge base; shares do not, so one temperature
            does for all.
        by_rationale: how many of them the rationale finds.
    """

    question: str
    ids: NDArray[np.int64]
    scores: Floats
    by_rationale: int


def gather(
    questions: Sequence[str], rationales: Sequence[str], search: Search, scores: Scores, *, depth: int = DEPTH
) -> list[Pool]:
    """The candidates of every question of which at least two passages are found and the rationale finds one.

    Args:
        questions: the texts.
        rationales: of the same questions.
        search: of each query the places and scores of its best passages.
        scores: of a query and places, the BM25 scores.
        depth: how many passages of each query are candidates.
    """
    pools = []
    both = zip(questions, rationales, search(rationales, depth), search(questions, depth), strict=True)
    for question, rationale, (by_rationale, found), (by_question, _) in both:
        first = by_rationale[np.asarray(found) > 0].astype(np.int64)
        ids = np.concatenate([first, by_question[~np.isin(by_question, first)]]).astype(np.int64)
        if len(first) and len(ids) > 1:
            wanted = np.asarray(scores(rationale, ids), np.float32)
            pools.append(Pool(question, ids, wanted / wanted.max(), len(first)))
    return pools


def draw(pool: Pool, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Which candidates a step compares, as indices into the pool: at most `count`, none twice.

    Half are the best by the rationale. The others are drawn from the rest: what remains are hard ones, which the
    question finds though the rationale does not, and some that the rationale finds further down.
    """
    best = min(pool.by_rationale, (count + 1) // 2)
    rest = generator.permutation(np.arange(best, len(pool.ids)))[: count - best]
    return np.concatenate([np.arange(best), rest]).astype(np.int64)
