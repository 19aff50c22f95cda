"""The pool: SmolLM2-135M-Instruct, the real bank, and perturbed copies of it where more adapters are wanted."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from hubexpert.demo import OWNER
from hubexpert.kinds import CONFIG_FILE, WEIGHTS_FILE
from hubexpert.localhub import Store
from hubexpert.records import Example

NOISE = 0.02  # of a tensor's standard deviation
TASKS = {
    "topics": ("topics/train.jsonl", "Name the topic of the message."),
    "slots": ("datasets/snips__slots/data/train.jsonl", "Extract the slots of the request as JSON."),
    "openbookqa": ("datasets/allenai__openbookqa/data/train.jsonl", "Answer the question."),
}


def bank(examples: Path) -> list[Path]:
    """The folders of the bank's adapters."""
    return sorted(path.parent for path in (examples / "bank").glob("*/adapter_config.json"))


def copies(examples: Path, root: Path, count: int) -> list[str]:
    """Names of `count` adapters on the Hub at `root`: the bank, then copies of it with noise on every weight."""
    store, originals = Store(root), bank(examples)
    names = [f"{OWNER}/{folder.name}" for folder in originals]
    generator = torch.Generator().manual_seed(0)
    for number in range(len(originals), count):
        origin = originals[number % len(originals)]
        name = f"copies/copy-{number:03}"
        names.append(name)
        folder = root.parent / "copies" / f"copy-{number:03}"
        if not (folder / CONFIG_FILE).exists():
            folder.mkdir(parents=True, exist_ok=True)
            tensors = load_file(origin / WEIGHTS_FILE)
            noisy = {
                key: tensor + NOISE * tensor.float().std() * torch.randn(tensor.shape, generator=generator)
                for key, tensor in tensors.items()
            }
            save_file({key: noisy[key].to(tensors[key].dtype) for key in noisy}, folder / WEIGHTS_FILE)
            shutil.copyfile(origin / CONFIG_FILE, folder / CONFIG_FILE)
        store.add_folder(name, folder)
    return names[:count]


def shots_of(examples: Path, task: str, count: int) -> tuple[Example, ...]:
    """The first rows of a bundled task as examples."""
    path, instruction = TASKS[task]
    rows = [json.loads(line) for line in (examples / path).read_text(encoding="utf-8").splitlines()[:count]]
    return tuple(
        Example(
            instruction=row.get("instruction") or instruction,
            input=row["input"],
            output=row["output"],
            choices=tuple(row.get("choices") or ()),
        )
        for row in rows
    )
