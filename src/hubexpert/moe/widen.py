"""The wide LoRA: experts of any rank, target and scaling side by side, exactly the sum of them.

A's are concatenated by rows, scaled B's by columns: B A x = Σᵢ Bᵢ Aᵢ x. Which expert owns a rank column is kept in
`owner`; the shared expert's columns carry the number of experts, one past the last.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from hubexpert.factors import Factors


@dataclass(frozen=True)
class Wide:
    """One wide LoRA: per module A [r, in], B [out, r] and the owner of each rank column [r]."""

    a: dict[str, torch.Tensor]
    b: dict[str, torch.Tensor]
    owner: dict[str, torch.Tensor]
    experts: int

    @property
    def rank(self) -> int:
        """The largest rank of any module."""
        return max(a.shape[0] for a in self.a.values())


def linears(model: nn.Module, suffixes: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Name -> (in, out) of every linear layer of the base whose name ends in one of the suffixes."""
    wanted = set(suffixes)
    return {
        name: (module.in_features, module.out_features)
        for name, module in model.named_modules()
        if name.rsplit(".", 1)[-1] in wanted and hasattr(module, "in_features")
    }


def widen(experts: Sequence[Factors], layers: Mapping[str, tuple[int, int]], *, shared_rank: int, seed: int) -> Wide:
    """Put the experts, and a fresh shared expert of rank `shared_rank`, side by side.

    Args:
        experts: their factors; modules which one lacks get no column of it.
        layers: every module of the wide LoRA -> (in, out); includes all modules of the experts.
        shared_rank: 0 leaves the shared expert out. Its A is drawn as PEFT draws it, its B is zero.
        seed: of the shared expert's A.
    """
    generator = torch.Generator().manual_seed(seed)
    a, b, owner = {}, {}, {}
    for module, (inside, outside) in layers.items():
        parts_a = [e.a[module] if module in e.a else torch.zeros(0, inside) for e in experts]
        parts_b = [e.b[module] if module in e.b else torch.zeros(outside, 0) for e in experts]
        bound = 1 / math.sqrt(inside)  # kaiming_uniform with a = √5, PEFT's default
        parts_a.append((torch.rand(shared_rank, inside, generator=generator) * 2 - 1) * bound)
        parts_b.append(torch.zeros(outside, shared_rank))
        counts = torch.tensor([part.shape[0] for part in parts_a])
        a[module], b[module] = torch.cat(parts_a), torch.cat(parts_b, dim=1)
        owner[module] = torch.repeat_interleave(torch.arange(len(counts)), counts)
        if not len(owner[module]):  # PEFT knows no rank 0: one column of zeros
            a[module], b[module] = torch.zeros(1, inside), torch.zeros(outside, 1)
            owner[module] = torch.tensor([len(experts)])
    return Wide(a, b, owner, len(experts))


def padded(wide: Wide) -> Wide:
    """The same LoRA with every module zero-padded to the largest rank; padding belongs to the shared expert."""
    a, b, owner = {}, {}, {}
    for module in wide.a:
        missing = wide.rank - wide.a[module].shape[0]
        a[module] = nn.functional.pad(wide.a[module], (0, 0, 0, missing))
        b[module] = nn.functional.pad(wide.b[module], (0, missing))
        owner[module] = nn.functional.pad(wide.owner[module], (0, missing), value=wide.experts)
    return Wide(a, b, owner, wide.experts)


def size(wide: Wide) -> int:
    """How many numbers the wide LoRA holds."""
    return sum(wide.a[module].numel() + wide.b[module].numel() for module in wide.a)
