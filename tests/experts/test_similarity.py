"""Similarity by the trace trick against forming ΔW."""

import pytest
import torch

from hubexpert.experts.similarity import similarity_matrix
from hubexpert.factors import Factors


def adapter(seed: int, modules: dict[str, int], inside: int = 6, outside: int = 5) -> Factors:
    generator = torch.Generator().manual_seed(seed)
    a = {m: torch.randn(r, inside, generator=generator) for m, r in modules.items()}
    return Factors(a, {m: torch.randn(outside, r, generator=generator) for m, r in modules.items()})


def cosine(first: Factors, second: Factors) -> float:
    return float(similarity_matrix([first, second])[0, 1])


def slow_cosine(first: Factors, second: Factors) -> float:
    """Form every ΔW; a module that one lacks counts as 0."""
    found = []
    for module in {**first.a, **second.a}:
        if module in first.a and module in second.a:
            left, right = (f.b[module].double() @ f.a[module].double() for f in (first, second))
            found.append(float((left * right).sum() / (left.norm() * right.norm())))
        else:
            found.append(0.0)
    return sum(found) / len(found)


@pytest.mark.parametrize("seed", range(10))
def test_cosine_agrees_with_forming_the_updates(seed: int) -> None:
    """Different ranks, overlapping modules."""
    first = adapter(seed, {"q": 2, "v": 3, "o": 1})
    second = adapter(seed + 100, {"q": 4, "v": 1, "k": 2})
    assert cosine(first, second) == pytest.approx(slow_cosine(first, second), abs=1e-9)


def test_cosine_sees_the_update_and_not_its_factors() -> None:
    """BA = (BR)(R⁻¹A): another factorisation of the same update is the same adapter."""
    first = adapter(0, {"q": 3})
    turn = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    second = Factors({"q": torch.linalg.inv(turn) @ first.a["q"]}, {"q": first.b["q"] @ turn})
    assert cosine(first, second) == pytest.approx(1, abs=1e-5)
    assert cosine(first, Factors(first.a, {"q": -first.b["q"]})) == pytest.approx(-1, abs=1e-9)


def test_adapters_without_a_common_module_are_unlike() -> None:
    """No overlap: cosine 0."""
    assert cosine(adapter(0, {"q": 2}), adapter(1, {"v": 2})) == 0


def test_matrix_is_symmetric_with_ones() -> None:
    """All pairs, each measured once."""
    pool = [adapter(seed, {"q": 2, "v": 2}) for seed in range(4)]
    matrix = similarity_matrix(pool)
    assert torch.equal(matrix, matrix.T)
    assert torch.equal(matrix.diagonal(), torch.ones(4, dtype=torch.float64))
    assert float(matrix[1, 3]) == pytest.approx(slow_cosine(pool[1], pool[3]), abs=1e-9)
