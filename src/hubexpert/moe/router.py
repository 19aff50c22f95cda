"""The stored router: `router.safetensors` of a published adapter, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from hubexpert.errors import HubExpertError
from hubexpert.moe.stored import read_stored

SHARED = "shared"


@dataclass(frozen=True)
class Router:
    """What `router.safetensors` holds: per module the gate's matrix, who owns the rank columns, the folded means."""

    top_k: int
    experts: tuple[str, ...]  # repo@revision
    router: dict[str, torch.Tensor]  # [experts, in]
    owner: dict[str, torch.Tensor]  # [r]
    mean: dict[str, torch.Tensor]  # [experts]


def read_router(file: Path, weights: Mapping[str, torch.Tensor]) -> Router:
    """The router in `file`, which comes from a stranger: everything is checked before it is used.

    Args:
        file: `router.safetensors`.
        weights: module of the adapter -> its A [r, in].

    Raises:
        HubExpertError: it cannot be read, or does not fit the adapter.
    """
    found = read_stored(file, {module: (weight.shape[0], weight.shape[1]) for module, weight in weights.items()})
    router, owner, mean = (
        {module: torch.from_numpy(part) for module, part in parts.items()}
        for parts in (found.router, found.owner, found.mean)
    )
    return Router(found.top_k, found.experts, router, {module: who.long() for module, who in owner.items()}, mean)


def find_expert(router: Router, which: str) -> tuple[int, str]:
    """An expert's number, from 0, and its name; the shared one's number is that of the experts.

    Args:
        router: where it is looked up.
        which: its number, from 1, its repository, or `shared`.

    Raises:
        HubExpertError: there is no such expert.
    """
    if which == SHARED:
        return len(router.experts), SHARED
    for number, name in enumerate(router.experts):
        if which in (str(number + 1), name, name.rpartition("@")[0]):
            return number, name
    named = ", ".join(f"{number} ({name.rpartition('@')[0]})" for number, name in enumerate(router.experts, 1))
    raise HubExpertError(f"The mixture has no expert {which}.", fix=f"name one of {named}")
