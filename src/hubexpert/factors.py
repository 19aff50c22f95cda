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
from torch import nn

from hubexpert.errors import first_line
from hubexpert.kinds import CONFIG_FILE, PLAIN_NAME, WEIGHTS_FILE

PREFIX = "base_model.model."
BROKEN, SHAPE, NAN, NO_OP = "weights-broken", "shape-mismatch", "nan-weights", "no-op"


class UnusableError(Exception):
    """The weights cannot be used; `code` is a reason code, the message a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Factors:
    """An adapter on its own terms: ΔW of module m is `b[m] @ a[m]`, scaling included.

    `conversion_error` is what was lost where the adapter is of another type: ‖ΔW - BA‖ / ‖ΔW‖ over all modules.
    """

    a: dict[str, torch.Tensor]  # [r, in]
    b: dict[str, torch.Tensor]  # [out, r]
    conversion_error: float | None = None

    @property
    def rank(self) -> int:
        """The largest rank of any module."""
        return max(a.shape[0] for a in self.a.values())

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The last part of the modules' names, sorted: `q_proj`, `v_proj` and so on."""
        return tuple(sorted({module.rsplit(".", 1)[-1] for module in self.a}))


def read_factors(folder: Path) -> Factors:
    """The factors of the PEFT LoRA in `folder`, in float32 on the CPU.

    Folds alpha/r, or alpha/√r for rslora, with rank_pattern and alpha_pattern, into B. DoRA, biases and saved modules
    have been refused by discovery.

    Raises:
        UnusableError: `weights-broken` (unreadable), `shape-mismatch` (A and B disagree), `nan-weights`, `no-op`.
    """
    config = read_config(folder)
    with reading(), safetensors.safe_open(folder / WEIGHTS_FILE, framework="pt") as weights:
        tensors = {key: weights.get_tensor(key).float() for key in weights.keys()}  # noqa: SIM118  not a dict
    a: dict[str, torch.Tensor] = {}
    b: dict[str, torch.Tensor] = {}
    for key, tensor in tensors.items():
        module, _, part = key.removeprefix(PREFIX).rpartition(".lora_")
        if part not in ("A.weight", "B.weight"):
            raise UnusableError(BROKEN, f"it holds a tensor that is no LoRA factor: {key[:80]}")
        (a if part == "A.weight" else b)[module] = tensor
    _check_pairs(a, b)
    scaled = {module: b[module] * scaling(config, module, a[module].shape[0]) for module in sorted(a)}
    factors = Factors({module: a[module] for module in sorted(a)}, scaled)
    _check_values(factors)
    return factors


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of the adapter in `folder`.

    Raises:
        UnusableError: `weights-broken` (it cannot be read).
    """
    with reading():
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("its configuration is no JSON object")
        return config


@contextmanager
def reading() -> Iterator[None]:
    """Within the block a file that cannot be read is an UnusableError, `weights-broken`."""
    try:
        yield
    except OSError as error:
        raise UnusableError(BROKEN, f"its weights cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError, safetensors.SafetensorError) as error:
        raise UnusableError(BROKEN, f"its weights cannot be read: {first_line(error)}") from error


def scaling(config: dict[str, Any], module: str, rank: int) -> float:
    """PEFT's scaling of one module: alpha/r, or alpha/√r for rslora; `alpha_pattern` overrides alpha."""
    alpha = config.get("lora_alpha", 8)
    for name, value in (config.get("alpha_pattern") or {}).items():
        if not PLAIN_NAME.fullmatch(name):  # PEFT reads it as a regular expression; a stranger's is not run here
            raise UnusableError(BROKEN, "its alpha_pattern has a key that is no module's name")
        if f".{module}".endswith(f".{name}"):
            alpha = value
            break
    if not isinstance(alpha, (int, float)):
        raise UnusableError(BROKEN, "its alpha is no number")
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _check_pairs(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    if not a or a.keys() != b.keys():
        raise UnusableError(BROKEN, "some modules have only one of lora_A and lora_B")
    for module in a:
        if a[module].ndim != 2 or b[module].ndim != 2 or a[module].shape[0] != b[module].shape[1]:
            raise UnusableError(
                SHAPE, f"A {tuple(a[module].shape)} and B {tuple(b[module].shape)} of {module} disagree"
            )


def _check_values(factors: Factors) -> None:
    for module, a in factors.a.items():
        if not (torch.isfinite(a).all() and torch.isfinite(factors.b[module]).all()):
            raise UnusableError(NAN, f"{module} holds NaN or infinity")
    if not any(a.any() and factors.b[module].any() for module, a in factors.a.items()):
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
