"""The small world on the test Hub. Imported inside: the client must not be imported before its address is set."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hubexpert.localhub import Store


@pytest.fixture(scope="session")
def pool(store: "Store", tmp_path_factory: pytest.TempPathFactory) -> None:
    """Base, good adapters and bad ones, served by the test Hub."""
    from tests.pipeline.world import fill

    fill(store, tmp_path_factory.mktemp("pool"))


@pytest.fixture
def project(pool: None, tmp_path: Path) -> Callable[..., Path]:
    """Makes a project folder and returns its recipe; keyword arguments are laid over the recipe."""
    from tests.pipeline.world import write_project

    def make(name: str = "project", **settings: Any) -> Path:
        return write_project(tmp_path / name, repo=f"tester/{tmp_path.name}-{name}", **settings)

    return make
