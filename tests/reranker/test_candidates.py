"""Which passages a question is compared with."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.reranker.candidates import Pool, draw, gather
from tests.reranker.making import Bm25

TEXTS = ["iron melts in fire", "gold melts late", "water boils", "fire burns wood", "wood floats on water", "a stone"]


def test_candidates_are_what_the_rationale_finds_and_then_what_the_question_finds() -> None:
    """None twice; each with its BM25 score for the rationale, as a share of the best one's."""
    known = Bm25(TEXTS)
    (pool,) = gather(["wood fire"], ["iron melts"], known.search, known.scores, depth=2)
    assert pool.ids.tolist() == [0, 1, 3, 4]
    assert pool.by_rationale == 2
    bare = known.scores("iron melts", pool.ids)
    np.testing.assert_allclose(pool.scores, bare / bare.max(), rtol=1e-6)
    assert pool.scores[0] == 1
    assert pool.scores[2:].tolist() == [0, 0]


def test_a_rationale_that_finds_nothing_teaches_nothing() -> None:
    """Passages of which it has no word are not found by it, though BM25 lists them; the question is left out."""
    known = Bm25(TEXTS)
    pools = gather(["wood", "gold"], ["xylophone", "gold melts"], known.search, known.scores)
    assert [pool.question for pool in pools] == ["gold"]
    assert pools[0].by_rationale == 2


def test_a_knowledge_base_of_one_passage_leaves_nothing_to_compare() -> None:
    known = Bm25(["a single passage"])
    assert gather(["passage"], ["single"], known.search, known.scores) == []


@given(st.integers(1, 12), st.integers(0, 12), st.integers(2, 10), st.integers(0, 99))
def test_half_of_a_draw_is_the_best_by_the_rationale(first: int, others: int, count: int, seed: int) -> None:
    """As many as are asked for where there are so many, none twice, the same for the same seed."""
    pool = Pool("q", np.arange(first + others), np.linspace(1, 0, first + others, dtype=np.float32), first)
    drawn = draw(pool, count, np.random.default_rng(seed))
    assert len(drawn) == len(set(drawn.tolist())) == min(count, first + others)
    best = min(first, (count + 1) // 2)
    assert drawn[:best].tolist() == list(range(best))
    assert drawn.tolist() == draw(pool, count, np.random.default_rng(seed)).tolist()


def test_every_candidate_has_its_turn() -> None:
    """Over many draws all of the others come up."""
    pool = Pool("q", np.arange(20), np.ones(20, np.float32), 10)
    generator = np.random.default_rng(0)
    assert set(np.concatenate([draw(pool, 8, generator) for _ in range(60)]).tolist()) == set(range(20))
