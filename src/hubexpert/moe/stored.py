"""`router.safetensors` as it lies on disk, checked before it is used; needs no torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from hubexpert.errors import HubExpertError, first_line

ROUTER_FILE = "router.safetensors"
ROUTER_VERSION = 1
PARTS = ("router", "owner", "mean")
BROKEN = (OSError, LookupError, ValueError, TypeError, AttributeError, RecursionError, RuntimeError, SafetensorError)


@dataclass(frozen=True)
class Stored:
    """The gates of a mixture: per module the gate's matrix, who owns the rank columns, the folded means."""

    top_k: int
    experts: tuple[str, ...]  # repo@revision
    router: dict[str, NDArray[Any]]  # [experts, in]
    owner: dict[str, NDArray[Any]]  # [r]
    mean: dict[str, NDArray[Any]]  # [experts]


def read_stored(file: Path, shapes: Mapping[str, tuple[int, int]]) -> Stored:
    """The router in `file`, which comes from a stranger: shapes are checked before anything is read.

    Args:
        file: `router.safetensors`.
        shapes: module of the adapter -> the shape of its A, (r, in).

    Raises:
        HubExpertError: it cannot be read, or does not fit the adapter.
    """
    try:
        with safe_open(file, framework="np") as opened:
            top_k, experts = _described(opened.metadata())
            _check_shapes(opened, shapes, len(experts))
            router, owner, mean = (
                {module: opened.get_tensor(f"{module}.{part}") for module in sorted(shapes)} for part in PARTS
            )
        found = Stored(top_k, experts, router, owner, mean)
        for module in router:
            _check_values(module, found)
        return found
    except BROKEN as error:
        raise HubExpertError(
            f"The router in {file.parent.name} cannot be used: {first_line(error)}",
            fix="take the static mixture (load it with routed=False), or publish it again with this version",
        ) from error


def _described(metadata: Mapping[str, str] | None) -> tuple[int, tuple[str, ...]]:
    """How many experts a token uses, and who they are."""
    described = json.loads((metadata or {})["hubexpert"])
    if described["version"] != ROUTER_VERSION:
        raise ValueError(f"its version is {described['version']}, this release reads {ROUTER_VERSION}")
    top_k, experts = described["top_k"], described["experts"]
    if type(top_k) is not int or top_k < 1:
        raise ValueError("its top_k is no positive number")
    if not isinstance(experts, list) or not all(isinstance(expert, str) for expert in experts):
        raise ValueError("its experts are no list of names")
    return top_k, tuple(experts)


def _check_shapes(opened: Any, shapes: Mapping[str, tuple[int, int]], experts: int) -> None:
    if {*opened.keys()} != {f"{module}.{part}" for module in shapes for part in PARTS}:
        raise ValueError("it has gates for other modules than the adapter")
    for module, (rank, inputs) in sorted(shapes.items()):
        wanted = ((experts, inputs), (rank,), (experts,))
        if any(
            tuple(opened.get_slice(f"{module}.{part}").get_shape()) != shape
            for part, shape in zip(PARTS, wanted, strict=True)
        ):
            raise ValueError(f"the router of {module} does not fit its LoRA")


def _check_values(module: str, stored: Stored) -> None:
    router, owner, mean = stored.router[module], stored.owner[module], stored.mean[module]
    if owner.dtype.kind != "i" or not 0 <= int(owner.min()) <= int(owner.max()) <= len(stored.experts):
        raise ValueError(f"the router of {module} does not fit its LoRA")
    if not (np.isfinite(router).all() and np.isfinite(mean).all() and (mean > 0).all()):
        raise ValueError(f"the router of {module} holds numbers that cannot be used")
