"""A Hub of our own, in this process, with three users: alice and bob may write, carol may only read.

`huggingface_hub` is imported inside functions: pytest loads this file before the environment is set.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hubexpert.localhub import LocalHub, Store, Token

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TOKENS = [Token("hf_alice", "alice", "write"), Token("hf_bob", "bob", "write"), Token("hf_carol", "carol", "read")]


@dataclass(frozen=True)
class Site:
    """A running Hub, seen by each of its users."""

    endpoint: str
    store: Store
    alice: "HfApi"
    bob: "HfApi"
    carol: "HfApi"
    nobody: "HfApi"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    from huggingface_hub import HfApi

    root = tmp_path_factory.mktemp("hub")
    with LocalHub(root, tokens=TOKENS) as hub:
        seen = {token.user: HfApi(endpoint=hub.endpoint, token=token.value) for token in TOKENS}
        nobody = HfApi(endpoint=hub.endpoint, token=False)
        yield Site(hub.endpoint, Store(root), seen["alice"], seen["bob"], seen["carol"], nobody)


@pytest.fixture(scope="session")
def new_id() -> Callable[..., str]:
    """Ids nobody else uses."""
    numbers = itertools.count()
    return lambda name="repo", user="alice": f"{user}/{name}-{next(numbers)}"


@pytest.fixture
def repo(site: Site, new_id: Callable[..., str], tmp_path: Path) -> str:
    """A fresh model repository of alice: an initial commit, then one with a small and one with a large file."""
    repo_id = new_id()
    for name, content in (("a.txt", b"hello"), ("b.bin", bytes(range(256)) * 40)):
        site.store.add_folder(repo_id, write_folder(tmp_path / f"repo-{name}", {name: content}), message=f"Add {name}")
    return repo_id


def write_folder(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """A folder with these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def head(api: "HfApi", repo: str) -> str:
    """The id of the newest commit of a model."""
    sha = api.model_info(repo).sha
    assert sha is not None
    return sha
