"""Experts as PEFT LoRAs of one rank on the same modules, for mixtures that take no others."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from torch import nn

from hubexpert.factors import PREFIX, Factors
from hubexpert.kinds import WEIGHTS_FILE
from hubexpert.moe.widen import linears


def write_padded(model: nn.Module, experts: Sequence[Factors], root: Path) -> list[str]:
    """The folders under `root`, one an expert: the same ΔW, padded with zeros; the scaling is 1."""
    layers = linears(model, {suffix for expert in experts for suffix in expert.suffixes})
    rank = max(expert.rank for expert in experts)
    folders = [root / f"expert-{place}" for place in range(len(experts))]
    for folder, expert in zip(folders, experts, strict=True):
        _write(_padded(expert, layers, rank), folder)
    return [str(folder) for folder in folders]


def _padded(expert: Factors, layers: Mapping[str, tuple[int, int]], rank: int) -> Factors:
    """The same ΔW, in every layer and with one rank."""
    a, b = {}, {}
    for module, (inside, outside) in layers.items():
        from_a, from_b = expert.a.get(module, torch.zeros(0, inside)), expert.b.get(module, torch.zeros(outside, 0))
        missing = rank - from_a.shape[0]
        a[module] = nn.functional.pad(from_a, (0, 0, 0, missing))
        b[module] = nn.functional.pad(from_b, (0, missing))
    return Factors(a, b)


def _write(expert: Factors, folder: Path) -> None:
    config = LoraConfig(
        r=expert.rank, lora_alpha=expert.rank, target_modules=list(expert.suffixes), task_type="CAUSAL_LM"
    )
    config.save_pretrained(folder)
    tensors = {f"{PREFIX}{module}.lora_A.weight": a.contiguous() for module, a in expert.a.items()}
    tensors |= {f"{PREFIX}{module}.lora_B.weight": b.contiguous() for module, b in expert.b.items()}
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
