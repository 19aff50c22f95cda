"""Adapters made for tests: tiny, and broken in exactly the way a test asks for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from hubexpert.hub import Listing
from hubexpert.records import Source

CONFIG, WEIGHTS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
PREFIX = "base_model.model.model.layers.0.self_attn"


def shapes(rank: int = 4, targets: tuple[str, ...] = ("q_proj", "v_proj")) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the matrices of a LoRA of that rank on a layer of width 16."""
    a: dict[str, tuple[int, ...]] = {f"{PREFIX}.{target}.lora_A.weight": (rank, 16) for target in targets}
    b: dict[str, tuple[int, ...]] = {f"{PREFIX}.{target}.lora_B.weight": (16, rank) for target in targets}
    return a | b


def config(base: str | None, rank: int = 4, **fields: Any) -> dict[str, Any]:
    """A configuration as PEFT writes it, with these fields changed."""
    plain = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], "bias": "none"}
    return {**plain, "base_model_name_or_path": base, "task_type": "CAUSAL_LM", **fields}


def card(base: str | None, license_: str | None = "apache-2.0", extra: str = "") -> str:
    """A model card."""
    lines = [
        f"base_model: {base}" if base else "",
        f"license: {license_}" if license_ else "",
        "library_name: peft",
        extra,
    ]
    return "\n".join(["---", *filter(None, lines), "---", "# An adapter", ""])


def adapter(
    folder: Path,
    base: str,
    *,
    rank: int = 4,
    fields: Mapping[str, Any] | None = None,
    tensors: Mapping[str, tuple[int, ...]] | None = None,
    text: str | None = None,
    files: Mapping[str, bytes] | None = None,
    without: tuple[str, ...] = (),
) -> Path:
    """A folder with an adapter of the base: by default a good one.

    Args:
        folder: where; it is made.
        base: the base its configuration and card name.
        rank: its rank.
        fields: fields of the configuration that differ.
        tensors: name -> shape of the weights, where they differ.
        text: the card, where it differs.
        files: further files, or other contents.
        without: files that are left out.
    """
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text(json.dumps({**config(base, rank), **(fields or {})}))
    (folder / "README.md").write_text(text if text is not None else card(base))
    weights = tensors if tensors is not None else shapes(rank)
    save_file({name: np.full(shape, 0.5, "float32") for name, shape in weights.items()}, folder / WEIGHTS)
    for name, content in (files or {}).items():
        (folder / name).write_bytes(content)
    for name in without:
        (folder / name).unlink()
    return folder


def listing(base: str | None = "a/base", bases: tuple[str, ...] = ("a/base",), **fields: Any) -> Listing:
    """What a listing says about a good adapter, with these fields changed."""
    plain: dict[str, Any] = {
        "source": Source(repo="a/lora", revision="1" * 40, license="mit"),
        "base": base,
        "bases": tuple(("adapter", name) for name in bases),
        "files": (CONFIG, WEIGHTS),
        "datasets": (),
        "author": "a",
        "last_modified": None,
        "downloads": 0,
        "likes": 0,
        "gated": False,
        "private": False,
    }
    return Listing(**{**plain, **fields})
