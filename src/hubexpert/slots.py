"""Prepared places on a base's modules into which adapters are put one after the other, or several side by side.

The hooks stay where they are while weights come and go. Several adapters share a batch the way the mixture's experts
share a wide LoRA: A below A, B beside B, and a row of the batch keeps only the columns of its own adapter.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from hubexpert.factors import Factors


@dataclass(eq=False)
class _Slot:
    """What one module adds: B (mask ⊙ (A x)); nothing while it is empty."""

    a: torch.Tensor | None = None  # [r, in], of all lanes
    b: torch.Tensor | None = None  # [out, r]
    lane: torch.Tensor | None = None  # [r]: the adapter of every column; None for one adapter alone
    mask: torch.Tensor | None = None  # [batch, 1, r]

    def __call__(self, _module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        if self.a is None or self.b is None:
            return output
        low = nn.functional.linear(inputs[0].to(self.a.dtype), self.a)  # [batch, tokens, r]
        if self.mask is not None:
            low = torch.where(self.mask, low, 0.0)  # not a product: another lane's infinity must not become NaN here
        return output + nn.functional.linear(low, self.b).to(output.dtype)


@dataclass(frozen=True, eq=False)
class Slots:
    """The slots of a base; `put` fills them, `assign` says which adapter each row of the next batch belongs to."""

    modules: dict[str, nn.Module]
    slots: dict[str, _Slot] = field(default_factory=dict)
    handles: list[torch.utils.hooks.RemovableHandle] = field(default_factory=list)

    def put(self, adapters: Sequence[Factors]) -> None:
        """Put these adapters in the place of what was there. They fit the base: `factors.check_fit`."""
        wanted = {module for adapter in adapters for module in adapter.a}
        for module in wanted - self.slots.keys():
            self.slots[module] = _Slot()
            self.handles.append(self.modules[module].register_forward_hook(self.slots[module]))
        for module, slot in self.slots.items():
            slot.a = slot.b = slot.lane = slot.mask = None
            if module in wanted:
                _fill(slot, module, adapters, self.modules[module].weight.device)

    def assign(self, owner: torch.Tensor) -> None:
        """Row i of the next batch belongs to the adapter `owner[i]`."""
        for slot in self.slots.values():
            if slot.lane is not None:
                slot.mask = slot.lane == owner[:, None, None]


@contextmanager
def slots(model: nn.Module) -> Iterator[Slots]:
    """Empty slots on the base; when the block ends, the base is as it was."""
    made = Slots(dict(model.named_modules()))
    try:
        yield made
    finally:
        for handle in made.handles:
            handle.remove()


@contextmanager
def applied(model: nn.Module, factors: Factors) -> Iterator[None]:
    """Within the block the base computes W x + B (A x): what PEFT computes for this adapter, with nothing rebuilt."""
    with slots(model) as places:
        places.put([factors])
        yield


def _fill(slot: _Slot, module: str, adapters: Sequence[Factors], device: torch.device) -> None:
    """The factors of one module, in float32 whatever the base's dtype, as PEFT keeps them.

    An adapter alone is not copied, so that it can be trained where it is.
    """
    parts = [(lane, adapter) for lane, adapter in enumerate(adapters) if module in adapter.a]
    if len(adapters) == 1:
        slot.a, slot.b = adapters[0].a[module].to(device), adapters[0].b[module].to(device)
        return
    slot.a = torch.cat([adapter.a[module] for _, adapter in parts]).to(device, non_blocking=True)
    slot.b = torch.cat([adapter.b[module] for _, adapter in parts], dim=1).to(device, non_blocking=True)
    ranks = torch.tensor([adapter.a[module].shape[0] for _, adapter in parts])
    slot.lane = torch.tensor([lane for lane, _ in parts]).repeat_interleave(ranks).to(device)
