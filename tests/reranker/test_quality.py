"""Recall of gold passages."""

import pytest

from hubexpert.reranker.quality import recall, recalls


def test_recall_is_the_share_of_gold_among_the_first_k() -> None:
    assert recall([4, 2, 9, 1], {2, 1, 7}, 1) == 0
    assert recall([4, 2, 9, 1], {2, 1, 7}, 2) == pytest.approx(1 / 3)
    assert recall([4, 2, 9, 1], {2, 1, 7}, 100) == pytest.approx(2 / 3)


def test_recalls_are_of_each_question_in_turn() -> None:
    assert recalls([[1, 2], [3], []], [{2}, {3}, {5}], 1) == [0.0, 1.0, 0.0]


def test_without_gold_there_is_no_recall() -> None:
    with pytest.raises(ValueError, match="no recall"):
        recall([1], set(), 1)
