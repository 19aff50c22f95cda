"""The loss of the reranker, beside sums written out."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.reranker.loss import anchored, divergence

Rows = list[list[tuple[float, float]]]
temperatures = st.tuples(st.floats(0.02, 5), st.floats(0.02, 5))
pairs = st.tuples(st.floats(-1, 1, width=32), st.floats(0, 1, width=32))
rows = st.lists(st.lists(pairs, min_size=1, max_size=6), min_size=1, max_size=4)


def tables(given_rows: Rows, filler: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predicted and wanted scores and their mask, filled up to the longest row."""
    longest = max(map(len, given_rows))
    filled = [[*row, *[(filler, filler)] * (longest - len(row))] for row in given_rows]
    mask = torch.tensor([[at < len(row) for at in range(longest)] for row in given_rows])
    return torch.tensor([[f for f, _ in r] for r in filled]), torch.tensor([[b for _, b in r] for r in filled]), mask


def shares(scores: list[float], temperature: float) -> list[float]:
    top = max(scores)
    powers = [math.exp((score - top) / temperature) for score in scores]
    return [power / sum(powers) for power in powers]


def slow(row: list[tuple[float, float]], ours: float, theirs: float) -> float:
    q, p = shares([f for f, _ in row], ours), shares([b for _, b in row], theirs)
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


@given(rows, temperatures, st.sampled_from([0.0, 1.0, 100.0, -100.0]))
def test_it_is_the_kullback_leibler_divergence_of_two_softmaxes(
    given_rows: Rows, sharpness: tuple[float, float], filler: float
) -> None:
    """Row by row, from P of BM25 to Q of the reranker; what stands where there is no candidate changes nothing."""
    predicted, wanted, mask = tables(given_rows, filler)
    found = divergence(predicted, wanted, mask, sharpness)
    assert found.shape == (len(given_rows),)
    for value, row in zip(found.tolist(), given_rows, strict=True):
        assert value == pytest.approx(slow(row, *sharpness), rel=2e-4, abs=2e-4)


@given(rows, st.lists(st.floats(-1, 1, width=32), min_size=6, max_size=6), st.floats(0, 2), temperatures)
def test_anchored_it_is_the_divergence_from_the_product_of_start_and_rationale(
    given_rows: Rows, first: list[float], weight: float, sharpness: tuple[float, float]
) -> None:
    """P is proportional to exp(weight · f0 / τ1) · exp(BM25 / τ2), here with all probabilities written out."""
    ours, theirs = sharpness
    predicted, wanted, mask = tables(given_rows, 0.0)
    own = torch.tensor([first[: mask.shape[1]]] * len(mask))
    found = divergence(predicted, anchored(wanted, own, weight, sharpness), mask, sharpness)
    for value, row in zip(found.tolist(), given_rows, strict=True):
        log_p = [weight * f0 / ours + b / theirs for f0, (_, b) in zip(first, row, strict=False)]
        p, q = shares(log_p, 1.0), shares([f for f, _ in row], ours)
        slowly = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)
        assert value == pytest.approx(slowly, rel=1e-3, abs=1e-3)


def test_a_model_that_the_rationale_tells_nothing_stays_as_it_is() -> None:
    """Where all passages are alike to BM25, the anchored target is what the start says."""
    own, mask = torch.tensor([[0.9, 0.5, 0.1]]), torch.ones(1, 3, dtype=torch.bool)
    flat = torch.full((1, 3), 0.4)
    assert float(divergence(own, anchored(flat, own, 1.0, (0.05, 0.2)), mask, (0.05, 0.2))) == pytest.approx(
        0, abs=1e-6
    )
    assert float(divergence(own, flat, mask, (0.05, 0.2))) > 1


@given(rows, temperatures)
def test_gradients_are_numbers_and_none_reaches_what_is_masked(
    given_rows: Rows, sharpness: tuple[float, float]
) -> None:
    predicted, wanted, mask = tables(given_rows, 0.0)
    predicted.requires_grad_()
    divergence(predicted, wanted, mask, sharpness).sum().backward()
    assert predicted.grad is not None
    assert torch.isfinite(predicted.grad).all()
    assert (predicted.grad[~mask] == 0).all()


def test_it_is_nothing_only_where_both_prefer_alike() -> None:
    """Scores that differ by a constant, at equal temperatures, are the same preference; reversed ones are not."""
    scores, mask = torch.tensor([[0.9, 0.5, 0.1]]), torch.ones(1, 3, dtype=torch.bool)
    assert float(divergence(scores - 0.3, scores, mask, (0.1, 0.1))) == pytest.approx(0, abs=1e-6)
    assert float(divergence(scores.flip(1), scores, mask, (0.1, 0.1))) > 1


@pytest.mark.parametrize("sharpness", [(0.0, 1.0), (1.0, 0.0), (-0.1, 1.0), (1.0, math.inf), (math.nan, 1.0)])
def test_temperatures_are_positive(sharpness: tuple[float, float]) -> None:
    one = torch.ones(1, 2)
    with pytest.raises(ValueError, match="positive"):
        divergence(one, one, one.bool(), sharpness)
