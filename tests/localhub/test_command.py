"""`hubexpert hub serve` and `hubexpert hub add`."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from huggingface_hub import HfApi

from tests.localhub.conftest import write_folder

HUB = [sys.executable, "-m", "hubexpert", "hub"]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*HUB, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment})


def start(*arguments: str | Path, tokens: Sequence[str] = (), **environment: str) -> subprocess.Popen[str]:
    options = [part for token in tokens for part in ("--token", token)]
    command = [*HUB, "serve", "--port", "0", *map(str, arguments), *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_line_is_the_endpoint_and_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    server = start("--root", tmp_path, tokens=["a:b:write", "c:d:read"])
    assert server.stdout is not None
    endpoint = server.stdout.readline().strip()
    assert [HfApi(endpoint=endpoint, token=t).whoami()["name"] for t in "ac"] == ["b", "d"]
    server.send_signal(number)
    rest, errors = server.communicate(timeout=20)
    assert (server.returncode, rest, errors) == (0, "", "")


def test_folders_are_added_with_and_without_a_server_running(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", {"data.jsonl": "{}"})
    arguments = ("add", "--root", tmp_path / "hub", "lab/d", folder, "--type", "dataset")
    first = run(*arguments)
    server = start("--root", tmp_path / "hub")
    try:
        assert server.stdout is not None
        api = HfApi(endpoint=server.stdout.readline().strip(), token=False)
        assert api.dataset_info("lab/d").sha == first.stdout.strip()
        assert run(*arguments).stdout == first.stdout
        (folder / "more.jsonl").write_text("{}")
        assert run(*arguments).stdout.strip() == api.dataset_info("lab/d").sha != first.stdout.strip()
    finally:
        server.terminate()
        server.communicate(timeout=20)


def test_what_a_user_can_mend_is_one_sentence_and_a_fix(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        busy = run("serve", "--root", tmp_path, "--port", port)
    secret = run("serve", "--root", tmp_path, "--port", "0", "--token", "hf_secret:me:admin")
    missing = run("add", "--root", tmp_path, "a/b", tmp_path / "missing")
    for result, word in ((busy, port), (secret, "TOKEN:USER"), (missing, "missing")):
        assert result.returncode == 1 and word in result.stderr and "Traceback" not in result.stderr
        assert not result.stdout


@pytest.mark.parametrize("spec", ["s3cr+et==:me:admin", "me:s3cr+et==:write", "me:write:s3cr+et=="])
def test_no_message_repeats_a_token_however_it_is_spelt(tmp_path: Path, spec: str) -> None:
    result = run("serve", "--root", tmp_path, "--port", "0", "--token", spec)
    assert result.returncode == 1 and "s3cr" not in result.stderr + result.stdout and "TOKEN:USER" in result.stderr


def test_tokens_can_come_from_the_environment(tmp_path: Path) -> None:
    server = start("--root", tmp_path, HUBEXPERT_HUB_TOKENS="t1:me:write t2:you:read")
    assert server.stdout is not None
    endpoint = server.stdout.readline().strip()
    assert [HfApi(endpoint=endpoint, token=token).whoami()["name"] for token in ("t1", "t2")] == ["me", "you"]
    server.terminate()
    server.communicate(timeout=20)


def test_scripts_can_read_records(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "f", {"a.txt": "1"})
    arguments = ("add", "--root", tmp_path / "hub", "me/m", folder, "--private")
    added = json.loads(run(*arguments, "--json").stdout)
    assert added == {"repo": "me/m", "commit": run(*arguments, "--quiet").stdout.strip()}
    server = start("--root", tmp_path / "hub", "--json", tokens=["t:me:read"])
    assert server.stdout is not None
    endpoint = json.loads(server.stdout.readline())["endpoint"]
    info = HfApi(endpoint=endpoint, token="t").model_info("me/m")
    assert info.private and info.sha == added["commit"]
    assert not HfApi(endpoint=endpoint, token=False).repo_exists("me/m")
    server.terminate()
    server.communicate(timeout=20)


def test_listening_for_other_machines_is_said_aloud(tmp_path: Path) -> None:
    server = start("--root", tmp_path, "--host", "0.0.0.0")  # noqa: S104 - what is tested, for a moment
    assert server.stdout is not None
    assert urlsplit(server.stdout.readline().strip()).hostname == "127.0.0.1"
    server.terminate()
    assert "other machines" in server.communicate(timeout=20)[1]


def test_the_command_line_starts_without_the_server() -> None:
    code = (
        "import sys, hubexpert.cli.hub, hubexpert.localhub;"
        "print([m for m in ('uvicorn', 'starlette', 'torch', 'huggingface_hub') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_without_the_optional_packages_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError(\"No module named 'uvicorn'\", name='uvicorn')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    result = run("serve", "--root", tmp_path / "hub", "--port", "0", PYTHONPATH=path)
    assert result.returncode == 1 and "pip install 'hubexpert[hub]'" in result.stderr
