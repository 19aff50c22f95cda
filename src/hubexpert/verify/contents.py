"""What the files hold against the lock: the configuration, the weights, the router. Read as numbers, without torch."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from hubexpert.assemble import PUBLISHED_FILES
from hubexpert.discover.config import config_reasons
from hubexpert.discover.header import header_reasons, matrices
from hubexpert.discover.reasons import some
from hubexpert.errors import HubExpertError, first_line
from hubexpert.escape import brief
from hubexpert.lock import Lock
from hubexpert.moe.stored import BROKEN, read_stored
from hubexpert.verify.check import Check, told
from hubexpert.verify.copy import Copy, fault, fetch

ANY_RANK = 2**31
KNOWLEDGE = "knowledge.json"
# What `save` never sets: it would put the LoRA elsewhere, or on another base.
UNSET = ("auto_mapping", "exclude_modules", "layers_pattern", "layers_to_transform", "megatron_config", "revision")
Shapes = Mapping[str, tuple[int, ...]]


def content_checks(lock: Lock, copy: Copy) -> Iterator[Check]:
    """The three files and the passages' sources, as far as they may be opened; shapes come before any number.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    there = {name: fetch(copy, name) for name in PUBLISHED_FILES if name in copy.sizes and not fault(copy, name)}
    places = [there.get(name) for name in PUBLISHED_FILES]
    config, weights, router = places
    if config is None or weights is None:
        return
    read = _json(config)
    fits = f"A LoRA of rank {lock.build.rank} for {brief(lock.base.repo)}."
    yield told("configuration", "", fits, _config_faults(read, lock))
    shapes, faults = _weights(weights, read, lock)
    yield told("weights", "", f"{len(matrices(shapes))} modules, every number finite.", faults)
    if router is not None:
        experts = f"{len(lock.build.experts)} experts, {lock.build.top_k} a token."
        yield told("router", "", experts, _router_faults(router, shapes, lock))
    if lock.kard and KNOWLEDGE in copy.sizes and not fault(copy, KNOWLEDGE):
        sources = f"{len(lock.kard.sources)} sources, those of the lock."
        yield told("knowledge", "", sources, _knowledge_faults(_json(fetch(copy, KNOWLEDGE)), lock))


def _knowledge_faults(described: Any, lock: Lock) -> Iterator[str]:
    named = described.get("sources") if isinstance(described, dict) else None
    if lock.kard is None or named != [source.model_dump(mode="json") for source in lock.kard.sources]:
        yield "It names other sources than the lock."


def _json(file: Path) -> Any:
    """The value in the file; None where it is none."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None


def _config_faults(config: Any, lock: Lock) -> Iterator[str]:
    yield from (reason.sentence for reason in config_reasons(config, ANY_RANK))
    if not isinstance(config, dict):
        return
    build = lock.build
    targets = sorted({module.rsplit(".", 1)[-1] for module in build.shares})
    wanted = {
        "peft_type": "LORA",
        "base_model_name_or_path": lock.base.repo,
        "r": build.rank,
        "lora_alpha": build.rank,
        **({"target_modules": targets} if targets else {}),
    }
    for key, value in wanted.items():
        if config.get(key) != value:
            yield f"`{key}` is {brief(config.get(key))}, by the lock {brief(value)}."
    if bool(config.get("rank_pattern")) != build.uses_rank_pattern:
        yield "Whether it uses `rank_pattern` is not as in the lock."
    if config.get("alpha_pattern") != config.get("rank_pattern") or config.get("use_rslora"):
        yield "Its scaling is not 1."
    if others := [key for key in UNSET if config.get(key)]:
        yield f"It sets what no mixture does: {some(others)}."


def _weights(file: Path, config: Any, lock: Lock) -> tuple[Shapes, list[str]]:
    """The shapes of the tensors in the file, and what is wrong with them."""
    shapes: dict[str, tuple[int, ...]] = {}
    try:
        with safe_open(file, framework="np") as opened:
            parts = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118  not a dict
            shapes = {name: tuple(part.get_shape()) for name, part in parts.items()}
            kinds = {part.get_dtype() for part in parts.values()}
            faults = [*_shape_faults(shapes, config, lock)]
            if kinds - {"F32"}:
                faults.append(f"Its numbers are {some(sorted(kinds))}, and not float32.")
            elif not faults:
                odd = [name for name in parts if not np.isfinite(opened.get_tensor(name)).all()]
                faults += [f"It holds NaN or infinity: {some(odd)}."] if odd else []
    except BROKEN as error:
        faults = [f"It cannot be read: {first_line(error)}"]
    return shapes, faults


def _shape_faults(shapes: Shapes, config: Any, lock: Lock) -> Iterator[str]:
    yield from (reason.sentence for reason in header_reasons(shapes, config, ANY_RANK))
    modules = matrices(shapes).keys()
    if lock.build.shares and modules != lock.build.shares.keys():
        yield f"It has other modules than the lock: {some(sorted(modules ^ lock.build.shares.keys()))}."
    ranks = {pair["A"][0] for pair in matrices(shapes).values() if pair.get("A")}
    if max(ranks, default=0) != lock.build.rank:
        yield f"Its rank is {max(ranks, default=0)}, by the lock {lock.build.rank}."


def _router_faults(file: Path, shapes: Shapes, lock: Lock) -> Iterator[str]:
    pairs = matrices(shapes)
    try:
        router = read_stored(file, {name: (pair["A"][0], pair["A"][1]) for name, pair in pairs.items()})
    except (LookupError, HubExpertError) as error:
        yield error.message if isinstance(error, HubExpertError) else "There are no matrices that it could fit."
        return
    experts = tuple(f"{expert.source.repo}@{expert.source.revision}" for expert in lock.build.experts)
    if router.experts != experts:
        yield f"It has other experts than the lock: {some(sorted({*router.experts} ^ {*experts}) or router.experts)}."
    if router.top_k != lock.build.top_k:
        yield f"A token uses {router.top_k} experts, by the lock {lock.build.top_k}."
