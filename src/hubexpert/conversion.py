"""Adapters of other PEFT types as LoRA factors: the matrix of each module, as PEFT computes it, cut to a low rank."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from peft import PeftModel, get_peft_config, get_peft_model, set_peft_model_state_dict
from torch import nn

from hubexpert.escape import brief
from hubexpert.factors import BROKEN, NAN, NO_OP, PREFIX, SHAPE, Factors, UnusableError, read_config, reading
from hubexpert.kinds import WEIGHTS_FILE, Kind, Shape, faults, features, kind_of, of_module, ranks, sizes, split
from hubexpert.lowrank import cut

MAX_RANK = 256  # of a converted module, and of what is converted: the default of `discover.max_rank`
ADAPTER, HOST = "default", "layer"


def convert(model: nn.Module, folder: Path, *, max_rank: int = MAX_RANK) -> Factors:
    """The factors of the adapter in `folder`, of a type other than LoRA, in float32 on the CPU, with the error.

    PEFT is given one empty layer of a module's size at a time, so that the base is not touched and never more than
    one module's matrix is in memory; names and patterns of the configuration, which PEFT runs as regular expressions,
    do not reach it. Each module gets the smallest rank that keeps its own error within `lowrank.TOLERANCE`.

    Args:
        model: the base.
        folder: where `adapter_config.json` and `adapter_model.safetensors` lie.
        max_rank: no module gets a higher one, whatever the error.

    Raises:
        UnusableError: `weights-broken`, `shape-mismatch` (with the base, with itself), `nan-weights`, `no-op`.
    """
    config = read_config(folder)
    kind = kind_of(config)
    if kind is None:
        raise UnusableError(BROKEN, f"its type {brief(config.get('peft_type'))} cannot be converted")
    for sentence in faults(kind, config):
        raise UnusableError(BROKEN, sentence[0].lower() + sentence[1:].removesuffix("."))
    if max(ranks(kind, config), default=0) > MAX_RANK:  # PEFT makes room for it before it looks at the weights
        raise UnusableError(BROKEN, f"its rank is above {MAX_RANK}")
    a, b, lost, total = {}, {}, 0.0, 0.0
    with reading(), safetensors.safe_open(folder / WEIGHTS_FILE, framework="pt") as weights:
        for module, delta in _matrices(kind, config, weights, dict(model.named_modules())):
            try:
                part = cut(delta, max_rank)
            except torch.linalg.LinAlgError as error:
                raise UnusableError(NAN, f"the update of {brief(module)} cannot be decomposed") from error
            lost, total = lost + part.lost, total + part.total
            if part.b.shape[1]:
                a[module], b[module] = part.a.cpu(), part.b.cpu()
    if not a:
        raise UnusableError(NO_OP, "all its updates are zero: it changes nothing")
    if not math.isfinite(lost / total):
        raise UnusableError(NAN, "its updates are too large to be computed with")
    return Factors(a, b, math.sqrt(lost / total))


def _matrices(
    kind: Kind, config: dict[str, Any], weights: Any, layers: Mapping[str, nn.Module]
) -> Iterator[tuple[str, torch.Tensor]]:
    """Module and ΔW [out, in] on that module's device, one after the other."""
    modules, others = split(kind, iter(weights.keys()), PREFIX)
    if others or not modules:
        raise UnusableError(BROKEN, f"it holds other tensors than those of a {kind.name}: {brief(others)}")
    for module in sorted(modules):
        names = {part: f"{PREFIX}{module}.{part}" for part in modules[module]}
        shapes = {part: tuple(weights.get_slice(name).get_shape()) for part, name in names.items()}
        letters = _checked(kind, module, shapes, layers.get(module))
        if not all(map(math.prod, shapes.values())):  # pruned away
            continue
        tensors = {part: weights.get_tensor(name).float() for part, name in names.items()}
        delta = _matrix(kind, _settings(kind, config, module, letters), tensors, layers[module])
        if not bool(torch.isfinite(delta).all()):
            raise UnusableError(NAN, f"the update of {brief(module)} holds NaN or infinity")
        yield module, delta.to(layers[module].weight.device)


def _checked(kind: Kind, module: str, shapes: Mapping[str, Shape], layer: nn.Module | None) -> dict[str, int]:
    """The sizes in a module's tensors, after a look whether they fit together and the base; nothing is read before."""
    letters = sizes(kind, shapes)
    if letters is None or letters.get("r", 0) > MAX_RANK:
        raise UnusableError(SHAPE, f"the tensors of {brief(module)} do not form a {kind.name} of a linear layer")
    if not isinstance(layer, nn.Linear):
        raise UnusableError(SHAPE, f"the base has no linear layer {brief(module)}")
    wanted, given = (layer.in_features, layer.out_features), features(kind, letters)
    if any(number not in (None, size) for number, size in zip(given, wanted, strict=True)):
        raise UnusableError(SHAPE, f"{brief(module)} of the base is {wanted}, of the adapter {given}")
    return letters


def _settings(kind: Kind, config: Mapping[str, Any], module: str, letters: Mapping[str, int]) -> dict[str, Any]:
    """The part of the configuration that one module's matrix depends on, as for a model of that module alone."""
    rank = of_module(kind, config, kind.rank, "rank_pattern", module) or kind.default_rank
    settings = {kind.rank: rank, **{key: config[key] for key in kind.fields if config.get(key) is not None}}
    if kind.alpha:
        settings[kind.alpha] = of_module(kind, config, kind.alpha, "alpha_pattern", module)
    if kind.pruned:  # PEFT's scaling is by the rank before pruning
        kept = letters["r"]
        settings |= {"total_step": 1, "rank_pattern": {f"{HOST}.lora_E": [True] * kept + [False] * (rank - kept)}}
    return {key: value for key, value in settings.items() if value is not None}


def _matrix(kind: Kind, settings: dict[str, Any], tensors: Mapping[str, torch.Tensor], layer: Any) -> torch.Tensor:
    """ΔW [out, in] of one module, by PEFT's own layer on an empty one that takes no memory."""
    empty = nn.Linear(layer.in_features, layer.out_features, bias=False, device="meta")
    empty.weight = nn.Parameter(torch.zeros(()).expand(layer.out_features, layer.in_features), requires_grad=False)
    given = {"peft_type": kind.name.upper(), "target_modules": [HOST], "inference_mode": True, **settings}
    masks = given.pop("rank_pattern", None)
    named = {f"{PREFIX}{HOST}.{part}": tensor for part, tensor in tensors.items()}
    try:
        with torch.random.fork_rng(devices=[]):  # PEFT draws initial values
            host = get_peft_model(nn.ModuleDict({HOST: empty}), get_peft_config(given), ADAPTER)
        host.peft_config[ADAPTER].rank_pattern = masks
        loaded = set_peft_model_state_dict(host, named, ADAPTER)
        missing = [key for key in loaded.missing_keys if "base_layer" not in key and "ranknum" not in key]
        if loaded.unexpected_keys or missing:
            raise ValueError(f"PEFT expects other tensors: {missing + loaded.unexpected_keys}")
        return _delta(host, kind)
    except (ValueError, TypeError, RuntimeError, IndexError, ZeroDivisionError) as error:
        raise UnusableError(SHAPE, f"PEFT cannot load it: {brief(error)}") from error


@torch.no_grad()
def _delta(host: PeftModel, kind: Kind) -> torch.Tensor:
    layer = host.base_model.model[HOST]
    if kind.name == "MiSS":  # its method adds to a weight that is given
        weight: torch.Tensor = layer.get_delta_weight_miss(ADAPTER, torch.zeros(layer.out_features, layer.in_features))
        return weight
    delta: torch.Tensor = layer.get_delta_weight(ADAPTER)
    return delta.float()
