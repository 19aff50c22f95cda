"""Similarity by the trace trick against forming ΔW."""

import gc
import weakref
from collections import Counter

import pytest
import torch

from hubexpert.experts.similarity import TOGETHER, similarity_matrix
from hubexpert.factors import Factors


def adapter(seed: int, modules: dict[str, int], inside: int = 6, outside: int = 5) -> Factors:
    generator = torch.Generator().manual_seed(seed)
    a = {m: torch.randn(r, inside, generator=generator) for m, r in modules.items()}
    return Factors(a, {m: torch.randn(outside, r, generator=generator) for m, r in modules.items()})


def matrix(pool: list[Factors]) -> torch.Tensor:
    return similarity_matrix(range(len(pool)), pool.__getitem__, quiet=True)


def cosine(first: Factors, second: Factors) -> float:
    return float(matrix([first, second])[0, 1])


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
    assert cosine(first, second) == pytest.approx(slow_cosine(first, second), abs=1e-12)


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


def test_a_module_that_changes_nothing_counts_as_unlike() -> None:
    """B = 0 in one module of one adapter: that module adds 0, the other its cosine."""
    first, second = adapter(0, {"q": 2, "v": 2}), adapter(1, {"q": 2, "v": 2})
    still = Factors(second.a, {**second.b, "v": torch.zeros_like(second.b["v"])})
    only = [Factors({"q": f.a["q"]}, {"q": f.b["q"]}) for f in (first, second)]
    assert cosine(first, still) == pytest.approx(slow_cosine(*only) / 2, abs=1e-12)


@pytest.mark.parametrize("count", [1, TOGETHER, TOGETHER + 1, 2 * TOGETHER + 3])
def test_matrix_holds_every_pair(count: int) -> None:
    """Within blocks and between them, adapters of all kinds mixed; symmetric, with ones on the diagonal."""
    kinds: list[dict[str, int]] = [{"q": 2, "v": 2}, {"q": 1}, {"v": 3, "o": 2}]
    pool = [adapter(seed, kinds[seed % 3]) for seed in range(count)]
    found = matrix(pool)
    assert torch.equal(found, found.T)
    assert torch.equal(found.diagonal(), torch.ones(count, dtype=torch.float64))
    for i in range(count):
        for j in range(i):
            assert float(found[i, j]) == pytest.approx(slow_cosine(pool[i], pool[j]), abs=1e-12)


def test_at_most_sixteen_adapters_are_in_memory() -> None:
    """However many there are; and each is loaded once for each block of eight from its own on."""
    alive: set[int] = set()
    most, loads = 0, Counter[int]()

    def load(number: int) -> Factors:
        nonlocal most
        made = adapter(number, {"q": 2})
        alive.add(id(made))
        weakref.finalize(made, alive.discard, id(made))
        loads[number] += 1
        most = max(most, len(alive))
        return made

    gc.disable()  # nothing may hang on a cycle
    try:
        similarity_matrix(range(50), load, quiet=True)
    finally:
        gc.enable()
    assert 8 < most <= 16
    blocks = -(-50 // TOGETHER)
    assert [loads[number] for number in range(50)] == [blocks - number // TOGETHER for number in range(50)]


def test_a_shortlist_of_the_usual_size_is_loaded_once() -> None:
    """M = 8 of the paper: no adapter twice."""
    loads = Counter[int]()

    def load(number: int) -> Factors:
        loads[number] += 1
        return adapter(number, {"q": 2})

    similarity_matrix(range(8), load, quiet=True)
    assert set(loads.values()) == {1}
