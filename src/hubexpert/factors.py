"""An adapter's weights as plain factors: for each module A [r, in] and B [out, r] with the scaling folded into B."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from peft.utils.other import get_pattern_key
from torch import nn

PREFIX = "base_model.model."
BROKEN, SHAPE, NAN, NO_OP = "weights-broken", "shape-mismatch", "nan-weights", "no-op"


class UnusableError(Exception):
    """The weights cannot be used; `code` is a reason code, the message a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Factors:
    """An adapter on its own terms: ΔW of module m is `b[m] @ a[m]`, scaling included."""

    a: dict[str, torch.Tensor]  # [r, in]
    b: dict[str, torch.Tensor]  # [out, r]

    @property
    def rank(self) -> int:
        """The largest rank of any module."""
        return max(a.shape[0] for a in self.a.values())

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The last part of the modules' names, sorted: `q_proj`, `v_proj` and so on."""
        return tuple(sorted({module.rsplit(".", 1)[-1] for module in self.a}))


def read_factors(folder: Path, file: str = "adapter_model.safetensors") -> Factors:
    """The factors of the PEFT LoRA in `folder`, in float32 on the CPU.

    Folds alpha/r, or alpha/√r for rslora, with rank_pattern and alpha_pattern, into B. DoRA, biases and saved modules
    have been refused by discovery.

    Raises:
        UnusableError: `weights-broken` (unreadable), `shape-mismatch` (A and B disagree), `nan-weights`, `no-op`.
    """
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        with safetensors.safe_open(folder / file, framework="pt") as weights:
            tensors = {key: weights.get_tensor(key).float() for key in weights.keys()}  # noqa: SIM118  not a dict
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise UnusableError(BROKEN, f"its weights cannot be read: {str(error)[:120]}") from error
    a: dict[str, torch.Tensor] = {}
    b: dict[str, torch.Tensor] = {}
    for key, tensor in tensors.items():
        module, _, part = key.removeprefix(PREFIX).rpartition(".lora_")
        if part not in ("A.weight", "B.weight"):
            raise UnusableError(BROKEN, f"it holds a tensor that is no LoRA factor: {key[:80]}")
        (a if part == "A.weight" else b)[module] = tensor
    _check(a, b)
    scaled = {module: b[module] * scaling(config, module, a[module].shape[0]) for module in sorted(a)}
    return Factors({module: a[module] for module in sorted(a)}, scaled)


def scaling(config: dict[str, Any], module: str, rank: int) -> float:
    """PEFT's scaling of one module: alpha/r, or alpha/√r for rslora; `alpha_pattern` overrides alpha."""
    alphas = config.get("alpha_pattern") or {}
    key = get_pattern_key(alphas.keys(), module)
    alpha = float(alphas.get(key, config.get("lora_alpha") or 8))
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _check(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    if not a or a.keys() != b.keys():
        raise UnusableError(BROKEN, "some modules have only one of lora_A and lora_B")
    for module in a:
        if a[module].ndim != 2 or b[module].ndim != 2 or a[module].shape[0] != b[module].shape[1]:
            raise UnusableError(
                SHAPE, f"A {tuple(a[module].shape)} and B {tuple(b[module].shape)} of {module} disagree"
            )
        if not (torch.isfinite(a[module]).all() and torch.isfinite(b[module]).all()):
            raise UnusableError(NAN, f"{module} holds NaN or infinity")
    if not any(a[module].any() and b[module].any() for module in a):
        raise UnusableError(NO_OP, "all its updates are zero: it changes nothing")


def check_fit(model: nn.Module, factors: Factors) -> None:
    """Check that every module exists in the base with these shapes.

    Raises:
        UnusableError: `shape-mismatch`.
    """
    modules = dict(model.named_modules())
    for module, a in factors.a.items():
        layer = modules.get(module)
        if layer is None:
            raise UnusableError(SHAPE, f"the base has no module {module[:80]}")
        sizes = (getattr(layer, "in_features", None), getattr(layer, "out_features", None))
        if sizes != (a.shape[1], factors.b[module].shape[0]):
            raise UnusableError(
                SHAPE, f"{module} of the base is {sizes}, of the adapter {(a.shape[1], factors.b[module].shape[0])}"
            )


@contextmanager
def applied(model: nn.Module, factors: Factors) -> Iterator[None]:
    """Within the block the base computes W x + B (A x): what PEFT computes for this adapter, with nothing rebuilt."""
    modules = dict(model.named_modules())
    handles = []
    try:
        for module, a in factors.a.items():
            weight = modules[module].weight
            dtype = weight.dtype if weight.is_floating_point() else torch.get_default_dtype()
            hook = _Add(a.to(weight.device, dtype), factors.b[module].to(weight.device, dtype))
            handles.append(modules[module].register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True, eq=False)
class _Add:
    a: torch.Tensor
    b: torch.Tensor

    def __call__(self, _module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        x = inputs[0].to(self.a.dtype)
        return output + nn.functional.linear(nn.functional.linear(x, self.a), self.b).to(output.dtype)
