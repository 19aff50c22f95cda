"""One Hub for the whole run: a real server in its own process, started before `huggingface_hub` is imported."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from hubexpert.localhub import Store

WRITE_TOKEN, READ_TOKEN, OTHER_TOKEN = "hf_test_write", "hf_test_read", "hf_test_other"
SERVER = pytest.StashKey[subprocess.Popen[str]]()
FOLDER = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the server and point the environment at it; no property is timed, since machines are busy."""
    settings.register_profile("untimed", parent=settings.default, deadline=None)
    settings.load_profile("untimed")
    folder = tempfile.TemporaryDirectory(prefix="hubexpert-tests-")
    config.stash[FOLDER] = folder
    command = [sys.executable, "-m", "hubexpert", "hub", "serve", "--root", f"{folder.name}/hub", "--port", "0"]
    command += ["--jobs"]
    for token in (f"{WRITE_TOKEN}:tester:write", f"{READ_TOKEN}:reader:read", f"{OTHER_TOKEN}:other:write"):
        command += ["--token", token]
    with Path(folder.name, "hub.log").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    config.stash[SERVER] = server
    assert server.stdout is not None
    endpoint = server.stdout.readline().strip()
    if not endpoint.startswith("http"):
        raise pytest.UsageError("the test Hub did not start: " + Path(folder.name, "hub.log").read_text())
    for name in ("HF_HUB_OFFLINE", "HF_OIDC_RESOURCE", "HUBEXPERT_DEBUG"):
        os.environ.pop(name, None)
    os.environ |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": f"{folder.name}/home",
        "HF_TOKEN": WRITE_TOKEN,
        "NO_PROXY": "127.0.0.1,localhost",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
    }


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server and remove what it kept."""
    server = config.stash.get(SERVER, None)
    if server is not None:
        server.terminate()
        server.wait(timeout=30)  # jobs have a grace of 10
        assert server.stdout is not None
        server.stdout.close()
    folder = config.stash.get(FOLDER, None)
    if folder is not None:
        folder.cleanup()


@pytest.fixture(scope="session")
def endpoint() -> str:
    """The address of the test Hub."""
    return os.environ["HF_ENDPOINT"]


@pytest.fixture(scope="session")
def token() -> str:
    """A write token of the user `tester`."""
    return WRITE_TOKEN


@pytest.fixture(scope="session")
def read_token() -> str:
    """A read token of the user `reader`."""
    return READ_TOKEN


@pytest.fixture(scope="session")
def other_token() -> str:
    """A write token of the user `other`."""
    return OTHER_TOKEN


@pytest.fixture(scope="session")
def store(request: pytest.FixtureRequest) -> "Store":
    """The test Hub's repositories: what is added here is served at once."""
    from hubexpert.localhub import Store

    return Store(Path(request.config.stash[FOLDER].name) / "hub")
