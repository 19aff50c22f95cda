"""Trains the cases of tests/test_processes.py in this process, or under `torchrun`, and writes the weights of each."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from hubexpert.factors import read_factors
from hubexpert.lm import Lm
from hubexpert.recipe import TrainSection
from hubexpert.records import Example, TrainingExample
from hubexpert.start import Start
from hubexpert.train import train
from hubexpert.trained import Lesson, encode_lesson, fresh_start, mixture_start, opened
from hubexpert.workspace import Journal
from tests import tiny

SHOTS = tuple(Example(input=f"{'ab'[i % 2] * (1 + i % 5)}{i}", output=("left", "right")[i % 2]) for i in range(13))
SETTINGS: dict[str, Any] = {"epochs": 2, "learning_rate": 1e-2, "folds": 0, "shared_rank": 4, "batch_size": 4}
CASES: dict[str, tuple[str, int, dict[str, Any]]] = {
    # what is trained, on how many shots, and how
    "even batches": ("mixture", 12, {}),
    "odd batches, the last of two rows": ("mixture", 12, {"batch_size": 5}),
    "a last batch of one row": ("mixture", 13, {}),
    "batches of one row": ("mixture", 4, {"batch_size": 1}),
    "balanced": ("mixture", 13, {"balance": 1.0}),
    "gradient checkpointing": ("mixture", 12, {"gradient_checkpointing": True}),
    "balanced, with gradient checkpointing": ("mixture", 13, {"balance": 1.0, "gradient_checkpointing": True}),
    "one expert a token": ("mixture", 12, {"top_k": 1}),
    "router alone": ("mixture", 12, {"train": ["router"]}),
    "with weights": ("mixture", 13, {"weights": (0.5, 1.0, 1.5)}),
    "a plain LoRA": ("fresh", 12, {"batch_size": 5}),
}


def lesson(folder: Path, shots: int, *, weights: Sequence[float] = (1.0,), **settings: Any) -> Lesson:
    """What all cases learn from; the weights in turn."""
    section = TrainSection(**{**SETTINGS, **settings})
    examples = tuple(
        TrainingExample(example=shot, weight=weights[i % len(weights)]) for i, shot in enumerate(SHOTS[:shots])
    )
    return Lesson(examples, section, 0, Journal(folder / "tuning.jsonl"), folder / "checkpoints", quiet=True)


def start(model: Lm, kind: str, learned: Lesson, adapters: Path) -> Start:
    """Two experts and a shared one, or a fresh LoRA."""
    mixture = mixture_start(model, [read_factors(adapters / str(i)) for i in range(2)], learned)
    return mixture if kind == "mixture" else fresh_start(model, mixture.wide, seed=0)


def weights(form: Lm) -> dict[str, torch.Tensor]:
    """What is trained, as a copy."""
    return {n: p.detach().clone() for n, p in form.model.named_parameters() if p.requires_grad}


def learn_all(adapters: Path, folder: Path) -> None:
    """Train every case; the weights go to `<case>-<rank>.safetensors`."""
    rank = os.environ.get("RANK", "one")
    for case, (kind, shots, settings) in CASES.items():
        model = Lm(tiny.model(), tiny.tokenizer())
        learned = lesson(folder, shots, **settings)
        with opened(model, start(model, kind, learned, adapters), learned.section) as form:
            losses = train(form, encode_lesson(model, learned), learned.section, None, seed=0, label="", quiet=True)
            save_file(weights(form), folder / f"{case}-{rank}.safetensors", metadata={"losses": repr(losses)})


if __name__ == "__main__":
    learn_all(Path(sys.argv[1]), Path(sys.argv[2]))
    torch.distributed.destroy_process_group()
