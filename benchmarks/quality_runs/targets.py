"""The target tasks, their rows, and the projects that are made of them."""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hubexpert.demo import BASE, OWNER
from hubexpert.recipe import FREE_LICENSES
from hubexpert.records import Example
from hubexpert.workspace import write_atomically

SHOTS, ROWS = 32, 150


@dataclass(frozen=True)
class Target:
    """A task of `<tasks-root>/<data>`: its instruction, the domain it is cut to, adapters trained on the same data."""

    data: str
    instruction: str
    same: tuple[str, ...]
    domain: str | None = None


TARGETS = {
    "slots": Target("snips_slots", "Extract the slots of the request as JSON.", ("snips-slots-r16", "snips-intent-r8")),
    "banking": Target("clinc150", "Name the intent of the request.", ("clinc-r8",), "banking"),
    "credit-cards": Target("clinc150", "Name the intent of the request.", ("clinc-r8",), "credit_cards"),
    "science": Target(
        "arc_easy",
        "Answer the multiple-choice question. Reply with the text of the correct option.",
        ("arc-easy-r8",),
    ),
    "requests": Target("snips_intent", "Name the intent of the request.", ("snips-intent-r8", "snips-slots-r16")),
}


def rows(tasks: Path, target: Target, part: str) -> list[Example]:
    """The target's rows of one part, in the order of the file."""
    lines = (tasks / target.data / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [
        Example(
            instruction=target.instruction,
            input=row["input"],
            output=row["target"],
            choices=tuple(row.get("choices") or ()),
        )
        for row in found
        if target.domain is None or row.get("domain") == target.domain
    ]


def write_project(folder: Path, tasks: Path, name: str, draw: int, train: dict[str, Any]) -> Path:
    """The recipe and the examples of one draw: shots from the train rows, held-out rows the same for every draw."""
    target = TARGETS[name]
    held_out = random.Random(0).sample(pool := rows(tasks, target, "test"), min(ROWS, len(pool)))  # noqa: S311
    shots = random.Random(1000 + draw).sample(rows(tasks, target, "train"), SHOTS)  # noqa: S311
    for part, examples in (("train", shots), ("test", held_out)):
        lines = "".join(example.model_dump_json(exclude_defaults=True) + "\n" for example in examples)
        write_atomically(folder / "kshot" / f"{part}.jsonl", lines)
    recipe = {
        "base": BASE,
        "task": {"name": name, "instruction": "", "shots": "kshot/train.jsonl", "test": "kshot/test.jsonl"},
        "discover": {
            "exclude": [f"{OWNER}/{adapter}" for adapter in target.same],
            "licenses": ["unknown", *FREE_LICENSES],
            "datasets": 0,
        },
        "experts": {"candidates": 8, "count": 4},
        "train": train,
        "evaluate": {"peers": ["arrow"]},
        "seed": draw,
    }
    path = folder / "hubexpert.yaml"
    write_atomically(path, yaml.safe_dump(recipe, sort_keys=False))
    return path
