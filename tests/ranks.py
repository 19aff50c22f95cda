"""Trains the cases of tests/test_processes.py in this process, or under `torchrun`, and writes the weights of each."""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from hubexpert.errors import HubExpertError
from hubexpert.factors import read_factors
from hubexpert.lm import Lm
from hubexpert.recipe import TrainSection
from hubexpert.records import Example
from hubexpert.start import Start
from hubexpert.train import train
from hubexpert.trained import Lesson, encode_all, fresh_start, mixture_start, opened
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
    "a plain LoRA": ("fresh", 12, {"batch_size": 5}),
}


def lesson(folder: Path, shots: int, **settings: Any) -> Lesson:
    """What all cases learn from."""
    section = TrainSection(**{**SETTINGS, **settings})
    return Lesson(SHOTS[:shots], section, 0, Journal(folder / "tuning.jsonl"), folder / "checkpoints", quiet=True)


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
            losses = train(form, encode_all(model, learned.shots), learned.section, None, seed=0, label="", quiet=True)
            save_file(weights(form), folder / f"{case}-{rank}.safetensors", metadata={"losses": repr(losses)})


def learn_what_takes_its_own_mean(adapters: Path, folder: Path) -> None:
    """A model whose loss knows nothing of other processes; what was said goes to a file."""
    model = Lm(tiny.model(), tiny.tokenizer())
    model.model.accepts_loss_kwargs = False
    learned = lesson(folder, 4)
    with opened(model, start(model, "fresh", learned, adapters), learned.section) as form:
        try:
            train(form, encode_all(model, learned.shots), learned.section, None, seed=0, label="", quiet=True)
        except HubExpertError as error:
            (folder / f"said-{os.environ['RANK']}").write_text(error.message)


if __name__ == "__main__":
    learn_all(Path(sys.argv[1]), Path(sys.argv[2]))
    learn_what_takes_its_own_mean(Path(sys.argv[1]), Path(sys.argv[2]))
    torch.distributed.destroy_process_group()
