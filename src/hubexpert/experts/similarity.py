"""How alike two adapters are: cosines of their weight updates ΔW = B A, never forming ΔW."""

from collections.abc import Mapping, Sequence

import torch

from hubexpert.factors import Factors


def inner(first: Factors, second: Factors, module: str) -> float:
    """⟨B₁A₁, B₂A₂⟩ of one module by the trace trick: tr((B₂ᵀB₁)(A₁A₂ᵀ)), cost O(r²·(in+out))."""
    left = second.b[module].double().T @ first.b[module].double()  # [r2, r1]
    right = first.a[module].double() @ second.a[module].double().T  # [r1, r2]
    return float((left * right.T).sum())


def norms(adapter: Factors) -> dict[str, float]:
    """Module -> the Frobenius norm of ΔW."""
    return {module: inner(adapter, adapter, module) ** 0.5 for module in adapter.a}


def cosine(
    first: Factors, second: Factors, first_norms: Mapping[str, float], second_norms: Mapping[str, float]
) -> float:
    """The mean over the union of the modules of cos(ΔW₁, ΔW₂); a module which only one of them has counts as 0.

    Open Knowledge, eq. 6, measured on ΔW, since A and B alone are not identifiable: BA = (BR)(R⁻¹A). The norms are
    those of `norms`.
    """
    total = 0.0
    for module in first.a.keys() & second.a.keys():
        product = first_norms[module] * second_norms[module]
        total += inner(first, second, module) / product if product > 0 else 0.0
    return total / len(first.a.keys() | second.a.keys())


def similarity_matrix(adapters: Sequence[Factors]) -> torch.Tensor:
    """The cosines of all pairs, [adapters, adapters], symmetric with ones on the diagonal."""
    matrix = torch.eye(len(adapters), dtype=torch.float64)
    sizes = [norms(adapter) for adapter in adapters]
    for i in range(len(adapters)):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = cosine(adapters[i], adapters[j], sizes[i], sizes[j])
    return matrix
