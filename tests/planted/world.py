"""Planted worlds: a tiny base that knows nothing, adapters that know one skill each, or nothing of use.

A skill is a lookup that nobody can guess: after its sign each of 36 words has one of six letters as its output. Who was
not trained on a word cannot know it.
"""

import json
import random
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from hubexpert import hub
from hubexpert.build import build_mixture
from hubexpert.examine import examine
from hubexpert.lm import Lm, encode
from hubexpert.localhub import Store
from hubexpert.recipe import EvaluateSection, TrainSection
from hubexpert.records import Example, Source, as_lesson
from hubexpert.slots import applied
from hubexpert.systems import Contest
from hubexpert.systems.form import factors_of
from hubexpert.train import train
from hubexpert.trained import Lesson
from hubexpert.workspace import Journal
from tests import tiny

BASE = Source(repo="tester/planted-base", revision="0" * 40)
METRIC = "exact_match"
WORDS = string.ascii_lowercase + string.digits
SKILLS = {"first": ("A", "pqrstu"), "second": ("B", "vwxyzk"), "third": ("C", "lmnohi")}
TASK = ("first", "second")
SHOTS = 16  # of each skill of the task
TARGETS = ["o_proj", "gate_proj", "up_proj", "down_proj"]  # their inputs have seen the sign, whatever the token


@dataclass(frozen=True)
class Pool:
    """A base, its adapters by name, and a task for them."""

    model: Lm
    adapters: dict[str, Source]
    shots: tuple[Example, ...]
    test: tuple[Example, ...]


def base(seed: int = 0) -> Lm:
    """The base, without a chat template: the sign and the word are then two tokens of four."""
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = None
    return Lm(tiny.model(seed=seed, hidden=128), tokenizer)


def skill(name: str) -> list[Example]:
    """All that there is to know of a skill, in an order drawn once."""
    sign, outputs = SKILLS[name]
    drawn = random.Random(name)
    found = drawn.sample(outputs * (len(WORDS) // len(outputs)), len(WORDS))
    examples = [Example(input=sign + word, output=output) for word, output in zip(WORDS, found, strict=True)]
    return drawn.sample(examples, len(examples))


def taught(folder: Path, model: Lm, examples: Sequence[Example], *, seed: int, epochs: int = 40) -> Path:
    """An adapter that really learned the examples on this base, which is spent by that."""
    torch.manual_seed(seed)
    made = Lm(get_peft_model(model.model, _settings()), model.tokenizer)
    encoded = [encode(made.tokenizer, example, example.output) for example in examples]
    section = TrainSection(epochs=epochs, learning_rate=5e-3, batch_size=18)
    train(made, encoded, section, None, seed=seed, label="", quiet=True)
    return _saved(made.model, folder)


def idle(folder: Path, *, seed: int, scale: float = 0.05) -> Path:
    """An adapter of random weights."""
    made = get_peft_model(base().model, _settings())
    torch.manual_seed(seed)
    for name, parameter in made.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=scale)
    return _saved(made, folder)


def _settings() -> LoraConfig:
    return LoraConfig(r=8, lora_alpha=16, target_modules=TARGETS, task_type="CAUSAL_LM")


def _saved(made: Any, folder: Path) -> Path:
    made.save_pretrained(folder, save_embedding_layers=False)
    written = folder / "adapter_config.json"
    written.write_text(json.dumps({**json.loads(written.read_text()), "base_model_name_or_path": BASE.repo}))
    (folder / "README.md").write_text(f"---\nbase_model: {BASE.repo}\nlicense: apache-2.0\n---\n# an adapter\n")
    return folder


def published(store: Store, folder: Path) -> Source:
    """The adapter in the folder, once it is on the test Hub."""
    repo = f"tester/planted-{folder.parent.name}-{folder.name}"
    store.add_folder(repo, folder)
    return hub.resolve(repo)


def two_skills(store: Store, root: Path) -> Pool:
    """A task of two skills; an adapter for each, one for a third that nobody asks for, and one of random weights."""
    folders = [taught(root / name, base(), skill(name), seed=place) for place, name in enumerate(SKILLS, start=1)]
    folders.append(idle(root / "idle", seed=1))
    known = [skill(name) for name in TASK]
    return Pool(
        base(),
        {folder.name: published(store, folder) for folder in folders},
        tuple(example for rows in known for example in rows[:SHOTS]),
        tuple(example for rows in known for example in rows[SHOTS:]),
    )


def mixed(pool: Pool, experts: Sequence[str], section: TrainSection, folder: Path, *, seed: int = 0) -> Contest:
    """The mixture of these experts, built as the product builds it, in a contest with the pool in its order."""
    (folder / "build").mkdir(parents=True)
    journal = Journal(folder / "tuning.jsonl")
    lesson = Lesson(as_lesson(pool.shots), section, seed, journal, folder / "checkpoints", quiet=True)
    build = build_mixture(pool.model, BASE, [pool.adapters[name] for name in experts], lesson, folder / "build")
    alone = EvaluateSection(contributions=0)
    return Contest(BASE, build, folder / "build", tuple(pool.adapters.values()), pool.test, METRIC, lesson, alone)


def useless(store: Store, root: Path, *, seed: int) -> Pool:
    """A task that the shots teach for the most part, and a pool that is of no use for it; all drawn by the seed.

    The first of two characters, one of six, decides among three outputs; the second says nothing. One adapter learned a
    lookup that nobody asks for, three are random and of any strength. The least perplexity on the shots comes first.
    """
    drawn, model = random.Random(seed), base(seed)
    folders = [taught(root / "unasked", base(seed), _unasked(drawn), seed=drawn.randrange(10**6), epochs=15)]
    for i in range(3):
        scale = drawn.choice([0.02, 0.05, 0.1])
        folders.append(idle(root / f"idle-{i}", seed=drawn.randrange(10**6), scale=scale))
    signs = drawn.sample(string.ascii_lowercase, 6)
    outputs = dict(zip(signs, drawn.sample(string.ascii_lowercase, 3) * 2, strict=True))
    inputs = drawn.sample([sign + word for sign in signs for word in WORDS], 24 + 72)
    rows = tuple(Example(input=each, output=outputs[each[0]]) for each in inputs)
    shots, test = rows[:24], rows[24:]

    def perplexity(source: Source) -> float:
        with applied(model.model, factors_of(model, source)):
            return examine(model, shots, METRIC, max_new_tokens=1)[0].perplexity

    sources = sorted((published(store, folder) for folder in folders), key=perplexity)
    return Pool(model, {source.repo: source for source in sources}, shots, test)


def _unasked(drawn: random.Random) -> list[Example]:
    """A lookup of 16 words of two capital letters."""
    inputs = drawn.sample([one + other for one in string.ascii_uppercase for other in string.ascii_uppercase], 16)
    return [Example(input=each, output=drawn.choice(string.ascii_lowercase)) for each in inputs]
