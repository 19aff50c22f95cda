"""The stored router: `router.safetensors` of a published adapter, read and checked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from hubexpert.errors import HubExpertError, first_line

ROUTER_FILE = "router.safetensors"
ROUTER_VERSION = 1
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
    try:
        router = _read_router(file)
        if router.router.keys() != weights.keys():
            raise ValueError("it has gates for other modules than the adapter")
        for module in sorted(weights):
            _check_router(module, weights[module], router)
        return router
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise HubExpertError(
            f"The router in {file.parent.name} cannot be used: {first_line(error)}",
            fix="take the static mixture (load it with routed=False), or publish it again with this version",
        ) from error


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


def _read_router(file: Path) -> Router:
    with safe_open(file, framework="pt") as stored:
        described = json.loads((stored.metadata() or {})["hubexpert"])
        tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118  not a dict
    if described["version"] != ROUTER_VERSION:
        raise ValueError(f"its version is {described['version']}, this release reads {ROUTER_VERSION}")
    top_k, experts = described["top_k"], described["experts"]
    if type(top_k) is not int or top_k < 1:
        raise ValueError("its top_k is no positive number")
    if not isinstance(experts, list) or not all(isinstance(expert, str) for expert in experts):
        raise ValueError("its experts are no list of names")
    modules = [key.removesuffix(".router") for key in tensors if key.endswith(".router")]
    router, owner, mean = (
        {module: tensors[f"{module}.{part}"] for module in modules} for part in ("router", "owner", "mean")
    )
    return Router(top_k, tuple(experts), router, {module: who.long() for module, who in owner.items()}, mean)


def _check_router(module: str, weight: torch.Tensor, gates: Router) -> None:
    router, owner, mean = gates.router[module], gates.owner[module], gates.mean[module]
    experts = len(gates.experts)
    fits = router.shape == (experts, weight.shape[1]) and mean.shape == (experts,) and owner.shape == (weight.shape[0],)
    if not fits or not 0 <= int(owner.min()) <= int(owner.max()) <= experts:
        raise ValueError(f"the router of {module} does not fit its LoRA")
    if not (torch.isfinite(router).all() and torch.isfinite(mean).all() and (mean > 0).all()):
        raise ValueError(f"the router of {module} holds numbers that cannot be used")
