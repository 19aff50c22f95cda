"""A small world: a tiny base, a pool with one adapter that solves the toy task, bad ones, and projects on them."""

import json
from pathlib import Path
from typing import Any

import yaml
from peft import LoraConfig, get_peft_model

from hubexpert.lm import Lm, encode
from hubexpert.localhub import Store
from hubexpert.recipe import TrainSection
from hubexpert.records import Example
from hubexpert.train import train
from tests import tiny

INSTRUCTION = "Sort."
OWN = "tester/own-work"  # published by the one test that looks whether its own work is discovered again
WORDS = {"a": "left", "b": "right"}
POOL = ("solver", "other-one", "other-two", "rslora", "all-linear")
BAD = {
    "bad-pickle": "pickle-only",
    "bad-base": "other-base",
    "bad-nan": "nan-weights",
    "bad-zero": "no-op",
    "bad-corrupt": "header-broken",
    "bad-rank": "rank-too-high",
}


def rows(count: int, start: int = 0) -> list[dict[str, str]]:
    """The toy task: a letter and a number; the letter decides the output."""
    return [{"input": f"{'ab'[i % 2]}{i}", "output": WORDS["ab"[i % 2]]} for i in range(start, start + count)]


def write_jsonl(path: Path, content: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def solver(folder: Path) -> Path:
    """An adapter that really learned the toy task on other numbers."""
    tiny.lora(folder, seed=0, r=16, lora_alpha=32, target_modules="all-linear")  # config, card
    model = get_peft_model(
        tiny.model(), LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    shots = [Example(instruction=INSTRUCTION, **row) for row in rows(64, 500)]
    encoded = [encode(tiny.tokenizer(), shot, shot.output) for shot in shots]
    section = TrainSection(epochs=12, learning_rate=1e-2, batch_size=8)
    train(Lm(model, tiny.tokenizer()), encoded, section, None, seed=0, label="", quiet=True)
    model.save_pretrained(folder, save_embedding_layers=False)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": tiny.BASE}))
    return folder


def fill(store: Store, root: Path) -> None:
    """Base, good adapters and bad ones into the store."""
    store.add_folder(tiny.BASE, tiny.save_base(root / "base"))
    solver(root / "solver")
    tiny.lora(root / "other-one", seed=1)
    tiny.lora(root / "other-two", seed=2, r=8, lora_alpha=4)
    tiny.lora(root / "rslora", seed=3, r=16, use_rslora=True, scale=0.1)
    tiny.lora(root / "all-linear", seed=4, target_modules="all-linear")
    tiny.lora(root / "bad-pickle", seed=5)
    (root / "bad-pickle" / "adapter_model.safetensors").rename(root / "bad-pickle" / "adapter_model.bin")
    tiny.lora(root / "bad-base", seed=6, base="tester/another-base")
    tiny.rewrite(tiny.lora(root / "bad-nan", seed=7), lambda tensor: tensor * float("nan"))
    tiny.rewrite(tiny.lora(root / "bad-zero", seed=8), lambda tensor: tensor * 0)
    corrupt = tiny.lora(root / "bad-corrupt", seed=9) / "adapter_model.safetensors"
    corrupt.write_bytes(b"\xff" * 2000)
    tiny.lora(root / "bad-rank", seed=10, r=300)
    for name in (*POOL, *BAD):
        store.add_folder(f"tester/{name}", root / name)


def write_project(folder: Path, *, repo: str, shots: int = 16, **over: Any) -> Path:
    """A project folder on this world; returns its recipe. Keyword arguments are laid over the recipe."""
    write_jsonl(folder / "kshot/train.jsonl", rows(shots))
    write_jsonl(folder / "kshot/test.jsonl", rows(60, 100))
    recipe: dict[str, Any] = {
        "base": tiny.BASE,
        "task": {
            "name": "toy",
            "instruction": INSTRUCTION,
            "shots": "kshot/train.jsonl",
            "test": "kshot/test.jsonl",
        },
        "discover": {"include": ["tester/bad-base"], "exclude": []},
        "experts": {"candidates": 4, "count": 2},
        "train": {"epochs": 2, "learning_rate": 1e-3, "folds": 0, "shared_rank": 4},
        "publish": {"repo": repo},
    }
    for key, value in over.items():
        recipe[key] = {**recipe.get(key, {}), **value} if isinstance(value, dict) else value
    others = ["tester/test_*"] if recipe["publish"]["repo"] == OWN else ["tester/test_*", OWN]
    recipe["discover"]["exclude"] += others  # what other tests published
    path = folder / "hubexpert.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path
