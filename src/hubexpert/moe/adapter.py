"""The published adapter: a plain PEFT LoRA (static) with a router beside it (token-wise). Attach, save, load."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from hubexpert import hub, lm
from hubexpert.errors import HubExpertError, first_line
from hubexpert.factors import PREFIX
from hubexpert.kinds import CONFIG_FILE, WEIGHTS_FILE
from hubexpert.lock import DEFAULT_LOCK
from hubexpert.moe.gate import GatedLinear
from hubexpert.moe.router import read_router
from hubexpert.moe.stored import ROUTER_FILE, ROUTER_VERSION
from hubexpert.moe.widen import Wide, padded, size
from hubexpert.records import Source

NAME = "default"
MOST_PADDING = 2.0


def attach(model: nn.Module, wide: Wide, routers: Mapping[str, torch.Tensor], *, top_k: int = 1) -> PeftModel:
    """The base with the wide LoRA and routers on it, everything in float32 and trainable.

    Without experts there is nothing to route: the result is a plain LoRA.

    Args:
        model: the base; its layers are wrapped in place, `PeftModel.unload` takes them out again.
        wide: what to attach; what is trained is a copy.
        routers: module -> [experts, in], as `initial.routers` gives them; empty without experts.
        top_k: how many experts a token uses; all, where there are fewer.
    """
    top_k = min(top_k, wide.experts)
    peft_model = get_peft_model(model, _config(wide, use_pattern=True), adapter_name=NAME, autocast_adapter_dtype=True)
    for module in wide.a:
        layer = _layer(peft_model, module)
        device = layer.lora_B[NAME].weight.device
        layer.lora_B[NAME].weight = nn.Parameter(wide.b[module].to(device, copy=True))
        if not wide.experts:
            layer.lora_A[NAME].weight = nn.Parameter(wide.a[module].to(device, copy=True))
            continue
        gate = GatedLinear(
            wide.a[module].clone(), routers[module].clone(), wide.owner[module], torch.ones(wide.experts), top_k
        )
        layer.lora_A[NAME] = gate.to(device)
    return peft_model


def gated_layers(model: nn.Module) -> dict[str, tuple[GatedLinear, nn.Linear]]:
    """Module of the base -> its gated A and its B, in the base's order."""
    found = {}
    for name, module in model.named_modules():
        lora_a = getattr(module, "lora_A", None)
        if isinstance(lora_a, nn.ModuleDict) and NAME in lora_a and isinstance(lora_a[NAME], GatedLinear):
            found[name.removeprefix(PREFIX)] = (lora_a[NAME], module.lora_B[NAME])
    return found


@contextmanager
def static(model: nn.Module) -> Iterator[None]:
    """Within the block the model is its static form: what a reader without the router computes."""
    layers = [gate for gate, _ in gated_layers(model).values()]
    try:
        for layer in layers:
            layer.routed = False
        yield
    finally:
        for layer in layers:
            layer.routed = True


def save(model: PeftModel, folder: Path, *, base: str, experts: Sequence[Source]) -> bool:
    """Write the three files of the published adapter into `folder`, in float32.

    Args:
        model: an attached, folded mixture.
        folder: where to.
        base: what the adapter names as its base.
        experts: who owns the rank columns, in order.

    Returns:
        Whether `rank_pattern` was needed because zero-padding to one rank would more than double the file.
    """
    layers = gated_layers(model)
    wide = Wide(
        a={m: gate.weight.detach().float().cpu() for m, (gate, _) in layers.items()},
        b={m: b.weight.detach().float().cpu() for m, (_, b) in layers.items()},
        owner={m: gate.owner.cpu() for m, (gate, _) in layers.items()},
        experts=len(experts),
    )
    wide = write_lora(wide, folder, base=base)
    gates = {}
    for module, (gate, _) in layers.items():
        gates[f"{module}.router"] = gate.router.detach().float().cpu().contiguous()
        gates[f"{module}.mean"] = gate.mean.float().cpu()
        gates[f"{module}.owner"] = wide.owner[module].to(torch.int32)
    top_k = next(iter(layers.values()))[0].top_k
    described = {"version": ROUTER_VERSION, "top_k": top_k, "experts": [f"{e.repo}@{e.revision}" for e in experts]}
    save_file(gates, folder / ROUTER_FILE, metadata={"hubexpert": json.dumps(described)})
    return len({a.shape[0] for a in wide.a.values()}) > 1


def write_lora(wide: Wide, folder: Path, *, base: str, targets: Sequence[str] | None = None) -> Wide:
    """Write a plain PEFT LoRA into `folder`: its configuration and its weights.

    Args:
        wide: the LoRA.
        folder: where to.
        base: what the adapter names as its base.
        targets: its `target_modules`; by default the last parts of its modules' names.

    Returns:
        What was written: zero-padded to one rank, or as it came where that would more than double the file.
    """
    even = padded(wide)
    use_pattern = size(even) > MOST_PADDING * size(wide)
    wide = wide if use_pattern else even
    tensors = {}
    for module in wide.a:
        tensors[f"{PREFIX}{module}.lora_A.weight"] = wide.a[module].contiguous()
        tensors[f"{PREFIX}{module}.lora_B.weight"] = wide.b[module].contiguous()
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    config = _config(wide, use_pattern=use_pattern).to_dict()
    config |= {"base_model_name_or_path": base, "inference_mode": True, "peft_type": "LORA"}
    if targets is not None:
        config["target_modules"] = sorted(targets)
    text = json.dumps(config, indent=2, sort_keys=True, default=sorted)
    (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
    return wide


def fetched(repo_or_folder: str | Path, revision: str | None, *, routed: bool = True) -> tuple[Path, Source | None]:
    """The folder of a published mixture, downloaded or cached, and where on the Hub it is from; None of a folder.

    Raises:
        HubExpertError: it cannot be had, or holds no adapter.
    """
    folder, source = Path(repo_or_folder), None
    if not folder.is_dir():
        source = hub.resolve(str(repo_or_folder), revision=revision)
        folder = hub.download(source, (CONFIG_FILE, WEIGHTS_FILE, DEFAULT_LOCK, *((ROUTER_FILE,) if routed else ())))
    if not (folder / CONFIG_FILE).is_file() or not (folder / WEIGHTS_FILE).is_file():
        raise HubExpertError(f"{repo_or_folder} holds no adapter.", fix="name a repository that hubexpert published")
    return folder, source


def load(
    repo_or_folder: str | Path,
    *,
    revision: str | None = None,
    base: Any = None,
    device: str | None = None,
    routed: bool = True,
) -> PeftModel:
    """A published mixture on its base, ready to generate; the tokenizer is the base's.

    Args:
        repo_or_folder: a Hub id or a folder.
        revision: branch, tag or commit of the repository.
        base: a loaded model, or the Hub id or folder of the base; by default the one the adapter names, at the commit
            that its lock names.
        device: a torch device; by default CUDA where there is one.
        routed: attach the router; without it the result is the static mixture.

    Raises:
        HubExpertError: the repository or its base cannot be had, or its files are not what `save` writes.
    """
    folder, _ = fetched(repo_or_folder, revision, routed=routed)
    model = base if isinstance(base, nn.Module) else lm.load_lm(find_base(folder, base), device=device).model
    try:
        peft_model = PeftModel.from_pretrained(model, str(folder), adapter_name=NAME, is_trainable=False)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise HubExpertError(
            f"The adapter of {repo_or_folder} does not fit its base: {first_line(error)}",
            fix="name a repository that hubexpert published, and its own base",
        ) from error
    if routed:
        _attach_router(peft_model, folder / ROUTER_FILE)
    return peft_model.eval()


def find_base(folder: Path, base: str | Path | None) -> Source | Path:
    """The base to load: the one asked for, else the adapter's at the commit in its lock.

    Raises:
        HubExpertError: the base cannot be found, or the adapter's files are damaged.
    """
    named, revision = (str(base), None) if base else named_base(folder)
    return Path(named) if Path(named).is_dir() else hub.resolve(named, revision=revision)


def named_base(folder: Path) -> tuple[str, str | None]:
    """The base that the adapter in `folder` names, and its commit where a lock tells it.

    Raises:
        HubExpertError: the configuration or the lock is damaged.
    """
    lock = folder / DEFAULT_LOCK
    try:
        named = str(json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")).get("base_model_name_or_path"))
        locked = json.loads(lock.read_text(encoding="utf-8")).get("base", {}) if lock.is_file() else {}
        revision = locked.get("revision")
        return named, None if revision is None else str(revision)
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        raise HubExpertError(
            f"The files in {folder.name} do not tell their base: {first_line(error)}",
            fix="name a repository that hubexpert published, and see that it is whole",
        ) from error


def _attach_router(model: PeftModel, file: Path) -> None:
    """Put the stored gates into the model."""
    names = (n.removeprefix(PREFIX) for n, m in model.named_modules() if NAME in getattr(m, "lora_A", ()))
    layers = {module: _layer(model, module) for module in names}
    router = read_router(file, {module: layer.lora_A[NAME].weight for module, layer in layers.items()})
    for module, layer in layers.items():
        weight = layer.lora_A[NAME].weight
        gate, owner, mean = (part[module].to(weight.device) for part in (router.router, router.owner, router.mean))
        gated = GatedLinear(weight.data, gate.to(weight), owner.long(), mean.to(weight), router.top_k)
        layer.lora_A[NAME] = gated.requires_grad_(False)


def _layer(model: PeftModel, module: str) -> Any:
    return model.get_submodule(f"{PREFIX}{module}")


def _config(wide: Wide, *, use_pattern: bool) -> LoraConfig:
    """The LoRA config whose scaling is 1 everywhere: alpha = r."""
    odd = {m: a.shape[0] for m, a in wide.a.items() if a.shape[0] != wide.rank} if use_pattern else {}
    return LoraConfig(
        r=wide.rank,
        lora_alpha=wide.rank,
        target_modules=sorted({module.rsplit(".", 1)[-1] for module in wide.a}),
        rank_pattern=odd,
        alpha_pattern=dict(odd),
        init_lora_weights=False,
        task_type="CAUSAL_LM",
    )
