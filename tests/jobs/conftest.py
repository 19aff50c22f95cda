"""A base with two random adapters, and projects on them that take little time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from hubexpert.localhub import Store

BASE = "tester/jobs-base"


@pytest.fixture(scope="session")
def pool(store: "Store", tmp_path_factory: pytest.TempPathFactory) -> None:
    """The base and its adapters, served by the test Hub."""
    from tests import tiny

    root = tmp_path_factory.mktemp("jobs-pool")
    store.add_folder(BASE, tiny.save_base(root / "base"))
    for seed in (1, 2):
        store.add_folder(f"tester/jobs-adapter-{seed}", tiny.lora(root / str(seed), seed=seed, base=BASE))


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Makes a project folder and returns its recipe; keyword arguments are laid over the recipe."""

    def make(**settings: Any) -> Path:
        for name, start, count in (("train", 0, 8), ("test", 100, 12)):
            rows = (
                {"input": f"{'ab'[i % 2]}{i}", "output": ("left", "right")[i % 2]} for i in range(start, start + count)
            )
            place = tmp_path / f"kshot/{name}.jsonl"
            place.parent.mkdir(exist_ok=True)
            place.write_text("".join(json.dumps(row) + "\n" for row in rows))
        recipe = {
            "base": BASE,
            "task": {"name": "toy", "instruction": "Sort.", "shots": "kshot/train.jsonl", "test": "kshot/test.jsonl"},
            "discover": {"exclude": ["tester/test_*"]},
            "experts": {"candidates": 2, "count": 1},
            "train": {"epochs": 1, "learning_rate": 1e-3, "folds": 0, "shared_rank": 4},
            "evaluate": {"contributions": 0},
            "publish": {"repo": f"tester/{tmp_path.name}"},
            **settings,
        }
        path = tmp_path / "hubexpert.yaml"
        path.write_text(yaml.safe_dump(recipe))
        return path

    return make
