"""Arrow (arXiv 2405.11157): the same experts, routed token by token without training, by PEFT's own implementation."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import ArrowConfig, LoraConfig, create_arrow_model
from safetensors.torch import save_file
from torch import nn

from hubexpert.factors import PREFIX, WEIGHTS_FILE, Factors
from hubexpert.lm import Lm
from hubexpert.moe.widen import linears

TOP_K = 2


@contextmanager
def arrow(model: Lm, experts: Sequence[Factors], *, seed: int) -> Iterator[Lm]:
    """Within the block the base with the experts, of which every token uses two; afterwards the base as it was.

    In each module an expert's prototype is the direction in which its ΔW is largest (its first right singular vector),
    and a token's gates are the softmax over the two largest |prototype · x|. PEFT takes experts of one rank on the same
    modules alone, so they are padded with zeros: that changes no ΔW, and an expert that lacks a module has the
    prototype 0 there, so its |prototype · x| is the smallest. Where it is still among the two, it takes its share of
    the gates and adds nothing.

    Args:
        model: the base.
        experts: their factors.
        seed: of the vectors with which PEFT's search for the prototypes starts.
    """
    layers = linears(model.model, {suffix for expert in experts for suffix in expert.suffixes})
    rank = max(expert.rank for expert in experts)
    config = ArrowConfig(top_k=min(TOP_K, len(experts)), router_temperature=1.0, rng_seed=seed)
    with tempfile.TemporaryDirectory(prefix="hubexpert-arrow-") as temporary:
        folders = [Path(temporary, f"expert-{place}") for place in range(len(experts))]
        for folder, expert in zip(folders, experts, strict=True):
            _write(_evened(expert, layers, rank), rank, folder)
        routed = create_arrow_model(model.model, [str(folder) for folder in folders], config)
    try:
        yield Lm(routed.eval(), model.tokenizer)
    finally:
        routed.unload()


def _evened(expert: Factors, layers: Mapping[str, tuple[int, int]], rank: int) -> Factors:
    """The same ΔW, in every layer and with one rank."""
    a, b = {}, {}
    for module, (inside, outside) in layers.items():
        from_a, from_b = expert.a.get(module, torch.zeros(0, inside)), expert.b.get(module, torch.zeros(outside, 0))
        missing = rank - from_a.shape[0]
        a[module] = nn.functional.pad(from_a, (0, 0, 0, missing))
        b[module] = nn.functional.pad(from_b, (0, missing))
    return Factors(a, b)


def _write(expert: Factors, rank: int, folder: Path) -> None:
    """The expert as a PEFT LoRA whose scaling is 1."""
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(expert.suffixes), task_type="CAUSAL_LM")
    config.save_pretrained(folder)
    tensors = {f"{PREFIX}{module}.lora_A.weight": a.contiguous() for module, a in expert.a.items()}
    tensors |= {f"{PREFIX}{module}.lora_B.weight": b.contiguous() for module, b in expert.b.items()}
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
