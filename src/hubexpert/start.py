"""Where a training starts: the wide LoRA and its routers, in memory and in a file."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from hubexpert.moe.widen import Wide


@dataclass(frozen=True, eq=False)
class Start:
    """Where a training starts: the wide LoRA and its routers. Without experts it is a plain LoRA."""

    wide: Wide
    routers: dict[str, torch.Tensor]  # [experts, in]


def write_start(start: Start, file: Path) -> None:
    """Write it as safetensors."""
    wide, tensors = start.wide, {"experts": torch.tensor(start.wide.experts)}
    for part, values in (("a", wide.a), ("b", wide.b), ("owner", wide.owner), ("router", start.routers)):
        tensors |= {f"{part}:{module}": value.clone().contiguous() for module, value in values.items()}
    save_file(tensors, file)


def read_start(file: Path) -> Start:
    """What `write_start` wrote."""
    parts: dict[str, dict[str, torch.Tensor]] = {"a": {}, "b": {}, "owner": {}, "router": {}}
    tensors = load_file(file)
    experts = int(tensors.pop("experts"))
    for key, tensor in tensors.items():
        part, _, module = key.partition(":")
        parts[part][module] = tensor
    return Start(Wide(parts["a"], parts["b"], parts["owner"], experts), parts["router"])
