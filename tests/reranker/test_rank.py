"""Scores of a reranker: the same in training and after, alone and in batches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.errors import HubExpertError
from hubexpert.records import RerankerKind
from hubexpert.reranker.models import compare, start
from hubexpert.reranker.rank import blended, order, rerank, shares

QUESTIONS = ["w1 w2", "w3", "w4 w5 w6 w7"]
PASSAGES = [["w31 w32 w33", "w1", "w40 w2"], [], ["w9", "w1", "w44 w45 w46 w47 w48 w49 w50", "w9"]]
KINDS: tuple[RerankerKind, ...] = ("bi", "cross", "late")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_trained_is_what_ranks(kind: RerankerKind, tiny: Path) -> None:
    """The scores with gradients are those of `rerank`, in the order of the passages, within [-1, 1]."""
    reranker = start(str(tiny), kind, seed=0, device="cpu")
    scores = rerank(reranker, QUESTIONS, PASSAGES)
    assert [len(each) for each in scores] == [3, 0, 4]
    table = compare(reranker, QUESTIONS, PASSAGES)
    assert table.shape == (3, 4)
    assert table.requires_grad
    for row, each in zip(table.tolist(), scores, strict=True):
        np.testing.assert_allclose(row[: len(each)], each, atol=2e-5)
        assert np.abs(each).max(initial=0) <= 1
    assert len(set(np.concatenate(scores).tolist())) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_questions_do_not_touch_one_another(kind: RerankerKind, tiny: Path) -> None:
    """One at a time gives what all together give; equal passages tie, and keep their order."""
    reranker = start(str(tiny), kind, seed=0, device="cpu")
    together = rerank(reranker, QUESTIONS, PASSAGES)
    for at, each in enumerate(together):
        (alone,) = rerank(reranker, QUESTIONS[at : at + 1], PASSAGES[at : at + 1])
        np.testing.assert_allclose(alone, each, atol=2e-5)
    assert together[2][0] == together[2][3]
    places = order(together[2]).tolist()
    assert places.index(0) < places.index(3)


def test_late_interaction_is_the_mean_of_the_best_cosines(tiny: Path) -> None:
    """Of each token of the question with the tokens of the passage, written out."""
    reranker = start(str(tiny), "late", seed=0, device="cpu")
    ours, theirs = (reranker.model.encode_document([text])[0] for text in ("w1 w2", "w31 w32 w33"))
    best = [max(float(torch.cosine_similarity(a, b, dim=0)) for b in theirs) for a in ours]
    assert len(ours) == 4  # two words between two marks
    assert rerank(reranker, ["w1 w2"], [["w31 w32 w33"]])[0][0] == pytest.approx(sum(best) / 4, abs=2e-5)


@given(st.lists(st.tuples(st.floats(-1, 1, width=32), st.floats(0, 50, width=32)), max_size=6), st.floats(0, 2))
def test_blended_scores_are_the_model_s_and_a_share_of_bm25(pairs: list[tuple[float, float]], weight: float) -> None:
    """Passage by passage; where BM25 finds nothing, or does not count, the model's alone."""
    best = max((found for _, found in pairs), default=0)
    expected = [score + (weight * found / best if best else 0) for score, found in pairs]
    scores, found = np.array([pair[0] for pair in pairs], np.float32), np.array([pair[1] for pair in pairs], np.float32)
    np.testing.assert_allclose(blended(scores, found, weight), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(blended(scores, found, 0), scores)
    assert shares(np.zeros(3)).tolist() == [0, 0, 0]


def test_order_is_stable() -> None:
    assert order(np.array([0.5, 0.9, 0.5, 0.9], np.float32)).tolist() == [1, 3, 0, 2]


def test_scores_that_are_no_numbers_are_an_error(tiny: Path) -> None:
    reranker = start(str(tiny), "bi", seed=0, device="cpu")
    next(reranker.model.parameters()).data.fill_(float("nan"))
    with pytest.raises(HubExpertError, match="no numbers"):
        rerank(reranker, ["w1"], [["w2"]])


def test_a_new_head_is_drawn_from_the_seed(tiny: Path) -> None:
    """A cross-encoder made of a sentence encoder: equal for equal seeds; the generator of others is left alone."""
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = (rerank(start(str(tiny), "cross", seed=s, device="cpu"), QUESTIONS, PASSAGES) for s in (0, 0, 1))
    assert torch.rand(1) == expected
    np.testing.assert_array_equal(np.concatenate(one), np.concatenate(same))
    assert not np.array_equal(np.concatenate(one), np.concatenate(other))
