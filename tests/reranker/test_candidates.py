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
    assert pool.asked.tolist() == [False, False, True, True]
    by_question = known.scores("wood fire", pool.ids[2:])
    np.testing.assert_allclose(pool.found, [0, 0, *(by_question / by_question.max())], rtol=1e-6)
    bare = known.scores("iron melts", pool.ids)
    np.testing.assert_allclose(pool.scores, bare / bare.max(), rtol=1e-6)
    assert pool.scores[0] == 1
    assert pool.scores[2:].tolist() == [0, 0]


def test_a_rationale_that_finds_nothing_teaches_nothing() -> None:
    """Passages of which it has no word are not found by it, though BM25 lists them; the question is left out."""
    known = Bm25(TEXTS)
    pools = gather(["wood", "gold"], ["xylophone", "gold melts"], known.search, known.scores, depth=6)
    assert [pool.question for pool in pools] == ["gold"]
    assert pools[0].ids[pools[0].scores > 0].tolist() == [1, 0]


def test_a_knowledge_base_of_one_passage_leaves_nothing_to_compare() -> None:
    known = Bm25(["a single passage"])
    assert gather(["passage"], ["single"], known.search, known.scores, depth=6) == []


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=2, max_size=20), st.integers(2, 12))
def test_a_draw_has_the_best_by_the_rationale_of_all_and_of_those_the_question_finds(
    candidates: list[tuple[float, bool]], count: int
) -> None:
    """As many as are asked for where there are so many, none twice, the same for the same seed."""
    scores, asked = np.array([s for s, _ in candidates], np.float32), np.array([a for _, a in candidates])
    pool = Pool("q", np.arange(len(scores)), scores, asked, np.zeros_like(scores))
    drawn = draw(pool, count, np.random.default_rng(1)).tolist()
    assert len(drawn) == len(set(drawn)) == min(count, len(scores))
    assert drawn == draw(pool, count, np.random.default_rng(1)).tolist()
    best = sorted(range(len(scores)), key=lambda at: -scores[at])
    first = best[: max(1, count // 4)]
    second = [at for at in best if asked[at] and at not in first][: max(0, count // 2 - len(first))]
    assert drawn[: len(first) + len(second)] == (first + second)[:count]
    others = drawn[len(first) + len(second) :]
    assert sum(bool(asked[at]) for at in others) == min(
        len(others), int(asked.sum()) - int(asked[first + second].sum())
    )


def test_every_passage_that_the_question_finds_has_its_turn() -> None:
    """Over many draws all of them come up, though a step compares few."""
    worth = np.linspace(1, 0, 20, dtype=np.float32)
    pool = Pool("q", np.arange(20), worth, np.arange(20) >= 6, np.zeros_like(worth))
    generator = np.random.default_rng(0)
    drawn = np.concatenate([draw(pool, 8, generator) for _ in range(60)]).tolist()
    assert set(drawn) == {0, 1, *range(6, 20)}
