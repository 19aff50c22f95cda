"""The passages that a question is compared with in training: what its rationale finds, and what it finds itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubexpert.reranker.rank import shares

Floats = NDArray[np.float32]
Found = tuple[NDArray[Any], NDArray[Any]]  # places of passages and their BM25 scores, the best first
Search = Callable[[Sequence[str], int], Sequence[Found]]
Scores = Callable[[str, NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Pool:
    """The candidates of one question.

    Attributes:
        question: the text.
        ids: places of passages `[candidates]`: those the rationale finds, then the others that the question finds.
        scores: BM25 for the rationale `[candidates]`, as shares of the best one: from 0 to 1. They grow with the
            rationale's length and differ from knowledge base to knowledge base; shares do not, so one temperature
            does for all.
        asked: whether the question finds it `[candidates]`.
        found: BM25 for the question `[candidates]`, as shares of the best one; 0 of those it does not find.
    """

    question: str
    ids: NDArray[np.int64]
    scores: Floats
    asked: NDArray[np.bool_]
    found: Floats


def gather(
    questions: Sequence[str], rationales: Sequence[str], search: Search, scores: Scores, *, depth: int
) -> list[Pool]:
    """The candidates of every question of which at least two passages are found and the rationale finds one.

    Args:
        questions: the texts.
        rationales: of the same questions.
        search: of each query the places and scores of its best passages.
        scores: of a query and places, the BM25 scores.
        depth: how many passages of each query are candidates; as many as the reranker will be given.
    """
    pools = []
    both = zip(questions, rationales, search(rationales, depth), search(questions, depth), strict=True)
    for question, rationale, (by_rationale, theirs), (by_question, ours) in both:
        first = by_rationale[np.asarray(theirs) > 0].astype(np.int64)
        ids = np.concatenate([first, by_question[~np.isin(by_question, first)]]).astype(np.int64)
        if len(first) and len(ids) > 1:
            wanted = np.asarray(scores(rationale, ids), np.float32)
            share = dict(zip(by_question.tolist(), shares(np.asarray(ours)).tolist(), strict=True))
            found = np.array([share.get(place, 0.0) for place in ids.tolist()], np.float32)
            pools.append(Pool(question, ids, wanted / wanted.max(), np.isin(ids, by_question), found))
    return pools


def draw(pool: Pool, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Which candidates a step compares, as indices into the pool: at most `count`, none twice.

    A quarter are the best by the rationale, and a quarter the best by the rationale of those the question finds. The
    others are drawn from what else the question finds, which is what the reranker will have to order.
    """
    best = np.argsort(-pool.scores, kind="stable")
    first = best[: max(1, count // 4)]
    left = best[len(first) :]
    asked, others = left[pool.asked[left]], left[~pool.asked[left]]
    second = asked[: max(0, count // 2 - len(first))]
    rest = [generator.permutation(asked[len(second) :]), generator.permutation(others)]
    return np.concatenate([first, second, *rest])[:count].astype(np.int64)
