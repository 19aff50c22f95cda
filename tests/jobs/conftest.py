"""A base with two random adapters, and projects on them that take little time."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

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
def project(pool: None, tmp_path: Path) -> Callable[..., Path]:
    """Makes a project folder and returns its recipe; keyword arguments are laid over the recipe."""
    from tests.pipeline.world import rows, write_jsonl, write_project

    def make(**settings: Any) -> Path:
        quick = {
            "base": BASE,
            "experts": {"candidates": 2, "count": 1},
            "train": {"epochs": 1},
            "evaluate": {"contributions": 0},
        }
        recipe = write_project(tmp_path, repo=f"tester/{tmp_path.name}", shots=8, **{**quick, **settings})
        write_jsonl(tmp_path / "kshot/test.jsonl", rows(12, 100))
        return recipe

    return make
