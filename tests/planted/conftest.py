"""What all planted worlds share. Imported inside: the client must not be imported before its address is set."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def swift() -> Iterator[None]:
    """Every training ends with a collection of garbage, which need not look through the libraries each time."""
    import tests.planted.world  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
