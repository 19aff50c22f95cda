"""How alike adapters are: cosines of their weight updates ΔW = B A, never forming ΔW."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch

from hubexpert.factors import Factors
from hubexpert.progress import track

TOGETHER = 8  # adapters of a block; two blocks are in memory
Item = TypeVar("Item")


def products(first: Sequence[Factors], second: Sequence[Factors]) -> dict[str, torch.Tensor]:
    """Module -> ⟨B₁A₁, B₂A₂⟩ for all pairs, [first, second]; 0 where one of the two lacks it.

    By the trace trick: tr((B₂ᵀB₁)(A₁A₂ᵀ)), the adapters side by side, at a cost of O(r²·(in+out)) a pair. Modules that
    all of `first` or all of `second` lack are left out.
    """
    found = {}
    for module in sorted(set().union(*(f.a for f in first)) & set().union(*(f.a for f in second))):
        a1, b1, owner1 = _side_by_side(first, module)
        a2, b2, owner2 = (a1, b1, owner1) if second is first else _side_by_side(second, module)
        found[module] = owner1 @ ((b1.T @ b2) * (a1 @ a2.T)) @ owner2.T
    return found


def _side_by_side(adapters: Sequence[Factors], module: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """All A below each other [ranks, in], all B beside each other [out, ranks], whose a rank is [adapters, ranks]."""
    having = [i for i, adapter in enumerate(adapters) if module in adapter.a]
    a = torch.cat([adapters[i].a[module].double() for i in having])
    b = torch.cat([adapters[i].b[module].double() for i in having], dim=1)
    owner = torch.zeros(len(adapters), a.shape[0], dtype=torch.float64)
    start = 0
    for i in having:
        end = start + adapters[i].a[module].shape[0]
        owner[i, start:end] = 1
        start = end
    return a, b, owner


def cosines(
    first: Sequence[Factors],
    second: Sequence[Factors],
    inner: Mapping[str, torch.Tensor],
    first_norms: Mapping[str, torch.Tensor],
    second_norms: Mapping[str, torch.Tensor],
) -> torch.Tensor:
    """The mean over the union of two adapters' modules of cos(ΔW₁, ΔW₂), for all pairs: [first, second].

    Open Knowledge, eq. 6, measured on ΔW, since A and B alone are not identifiable: BA = (BR)(R⁻¹A). A module which
    only one of two has counts as 0.

    Args:
        first: some adapters.
        second: others, or the same.
        inner: their `products`.
        first_norms: module -> the Frobenius norms of ΔW, [first]; 0 for those that lack it.
        second_norms: those of the others.
    """
    total = torch.zeros(len(first), len(second), dtype=torch.float64)
    for module, found in inner.items():
        sizes = torch.outer(first_norms[module], second_norms[module])
        total += torch.where(sizes > 0, found / sizes, 0.0)
    return total / torch.tensor([[len(one.a.keys() | other.a.keys()) for other in second] for one in first])


def similarity_matrix(items: Sequence[Item], load: Callable[[Item], Factors], *, quiet: bool = False) -> torch.Tensor:
    """The cosines of all pairs of adapters, [adapters, adapters], symmetric with ones on the diagonal.

    At most 16 adapters are in memory at once. Up to 8 are loaded once each; of M each is loaded M/16 times on average.

    Args:
        items: the adapters.
        load: gives an adapter's factors.
        quiet: no progress.
    """
    matrix = torch.zeros(len(items), len(items), dtype=torch.float64)
    blocks = [slice(start, start + TOGETHER) for start in range(0, len(items), TOGETHER)]
    norms: list[dict[str, torch.Tensor]] = []

    def fill(row: int, column: int, first: Sequence[Factors], second: Sequence[Factors]) -> None:
        inner = products(first, second)
        if row == column:
            norms.append({module: found.diagonal().clamp(min=0).sqrt() for module, found in inner.items()})
        matrix[blocks[row], blocks[column]] = cosines(first, second, inner, norms[row], norms[column])

    for row, rows in enumerate(track(blocks, "comparing adapters", quiet=quiet)):
        block = [load(item) for item in items[rows]]
        fill(row, row, block, block)
        for column, columns in enumerate(blocks[:row]):
            fill(row, column, block, [load(item) for item in items[columns]])  # which nothing holds any longer
    below = matrix.tril(diagonal=-1)
    return below + below.T + torch.eye(len(items), dtype=torch.float64)
