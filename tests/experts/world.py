"""A task of which much can only be known by heart, and adapters trained on its shots, on others, on nothing."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peft import LoraConfig, get_peft_model

from hubexpert.examine import expanded
from hubexpert.lm import Encoded, Lm, encode
from hubexpert.recipe import TrainSection
from hubexpert.records import Example
from hubexpert.train import train
from tests import tiny

WORDS = [a + b + c for a in "bdfgk" for b in "aiou" for c in "lmnrt"]
REASONS = [a + b + c for a in "hpvwz" for b in "aiou" for c in "lmnrt"]


def base() -> Any:
    """A tiny base with room for a dozen texts."""
    return tiny.model(hidden=64)


def task(count: int, seed: int) -> list[Example]:
    """Fourteen words of which the first says left or right; the others, and the reason, nobody can guess."""
    drawn = random.Random(seed)
    made = []
    for _ in range(count):
        side = drawn.choice(["left", "right"])
        said = [{"left": "bab", "right": "dad"}[side], *drawn.choices(WORDS, k=13)]
        made.append(Example(input=" ".join(said), output=side, rationale=" ".join(drawn.sample(REASONS, 6))))
    return made


def trained(folder: Path, examples: Sequence[Example], *, whole: bool, epochs: int) -> Path:
    """An adapter trained on the examples: on their whole texts, or on the outputs alone."""
    settings = LoraConfig(r=32, lora_alpha=64, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base(), settings)
    encoded = [encode(tiny.tokenizer(), example, expanded(example)) for example in examples]
    if whole:
        encoded = [Encoded((), (*each.prompt, *each.answer)) for each in encoded]
    section = TrainSection(epochs=epochs, learning_rate=1e-2, batch_size=16)
    train(Lm(model, tiny.tokenizer()), encoded, section, None, seed=0, label="", quiet=True)
    model.save_pretrained(folder, save_embedding_layers=False)
    return folder


def untrained(folder: Path, *, rank: int) -> Path:
    """An adapter of random weights."""
    settings = LoraConfig(r=rank, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(base(), settings).save_pretrained(folder, save_embedding_layers=False)
    return folder
