"""The systems that are compared: the same experts on the same base, each through its own library's door."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import ArrowConfig, LoraConfig, PeftModel, XLoraConfig, create_arrow_model, get_peft_model

from hubexpert import load
from hubexpert.factors import read_factors
from hubexpert.moe.adapter import attach, gated_layers, save
from hubexpert.moe.initial import random_routers
from hubexpert.moe.listen import fold_means
from hubexpert.moe.widen import linears, widen
from hubexpert.records import Source

RANK = 16
TOP_K = 2
SCALE = 0.1  # of the random B: large enough to change every logit, small enough to leave them finite
SYSTEMS = ("base", "plain", "static", "routed", "arrow", "x-lora")


def write_experts(base: Any, root: Path, count: int, modules: Sequence[str]) -> list[Path]:
    """That many random LoRAs for the base, as PEFT saves them: a forward's time does not depend on what they hold."""
    folders = []
    for seed in range(count):
        torch.manual_seed(seed)
        config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(modules), task_type="CAUSAL_LM")
        expert = get_peft_model(copy.deepcopy(base), config)
        for name, parameter in expert.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=SCALE)
        folders.append(root / f"expert-{seed}")
        expert.save_pretrained(folders[-1], save_embedding_layers=False)
    return folders


def write_mixture(base: Any, experts: Sequence[Path], root: Path, *, shared_rank: int) -> Path:
    """The published mixture of these experts, with the mean gate of each folded into B."""
    model, factors = copy.deepcopy(base), [read_factors(folder) for folder in experts]
    wide = widen(factors, linears(model, factors[0].suffixes), shared_rank=shared_rank, seed=0)
    mixture = attach(model, wide, random_routers(wide, seed=0), top_k=TOP_K)
    share = torch.full((len(experts),), 1 / len(experts))
    fold_means(mixture, dict.fromkeys(gated_layers(mixture), share))
    folder = root / "mixture"
    folder.mkdir()
    save(mixture, folder, base="base", experts=[Source(repo=f"local/{f.name}", revision="0" * 40) for f in experts])
    return folder


def opened(name: str, base: Any, experts: Sequence[Path], mixture: Path) -> Any:
    """One system, ready to run, on a copy of the base that shares its weights."""
    weights = {id(tensor): tensor for tensor in (*base.parameters(), *base.buffers())}
    model = copy.deepcopy(base, weights)
    return _OPEN[name](model, experts, mixture).eval().requires_grad_(False)


def _static(model: Any, _experts: Sequence[Path], mixture: Path) -> Any:
    made = load(mixture, base=model)
    for gate, _ in gated_layers(made).values():
        gate.routed = False
    return made


def _x_lora(model: Any, experts: Sequence[Path], _mixture: Path) -> Any:
    model.config.use_cache = False  # PEFT refuses it otherwise
    config = XLoraConfig(
        task_type="CAUSAL_LM",
        hidden_size=model.config.hidden_size,
        adapters={str(index): str(folder) for index, folder in enumerate(experts)},
        top_k_lora=TOP_K,
    )
    return get_peft_model(model, config)


_OPEN: dict[str, Callable[[Any, Sequence[Path], Path], Any]] = {
    "base": lambda model, _experts, _mixture: model,
    "plain": lambda model, _experts, mixture: PeftModel.from_pretrained(model, str(mixture)),
    "static": _static,
    "routed": lambda model, _experts, mixture: load(mixture, base=model),
    "arrow": lambda model, experts, _mixture: create_arrow_model(model, list(map(str, experts)), ArrowConfig(TOP_K)),
    "x-lora": _x_lora,
}
