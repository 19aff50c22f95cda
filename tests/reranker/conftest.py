"""A tiny encoder for the folder's tests."""

from pathlib import Path

import pytest

from tests.reranker.making import tiny_encoder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sentence encoder with random weights."""
    return tiny_encoder(tmp_path_factory.mktemp("reranker") / "tiny")
