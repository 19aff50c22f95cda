"""The light half works without torch and its friends, and `--help` loads next to nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from hubexpert.cli.main import COMMANDS, cli
from hubexpert.errors import HubExpertError, needed

if TYPE_CHECKING:
    from hubexpert.localhub import Store

HEAVY = ("torch", "transformers", "peft", "accelerate", "datasets", "evaluate", "starlette", "uvicorn", "gguf")
WITHOUT = f"""
import sys
for name in {HEAVY!r}:
    sys.modules[name] = None  # importing it is an ImportError, as where it is not installed
from hubexpert.cli.main import main
main(sys.argv[1:])
"""


def light(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ))


def test_help_loads_only_click(tmp_path: Path) -> None:
    """What makes `--help` answer at once: no pydantic, rich, Hub client or anything heavier."""
    code = (
        "import sys\nfrom hubexpert.cli.main import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted(m for m in sys.modules if '.' not in m), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "Commands:" in done.stdout
    loaded = set(json.loads(done.stderr.replace("'", '"')))
    assert loaded.isdisjoint({*HEAVY, "pydantic", "rich", "huggingface_hub", "numpy", "jinja2", "yaml", "matplotlib"})


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_the_list_says_the_same(name: str) -> None:
    """The list of commands is written down so that it needs no import; it must not drift."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.get_short_help_str(limit=200) == COMMANDS[name]
    assert {"--json", "--quiet"} <= {o for p in command.params for o in p.opts} or isinstance(command, click.Group)


def test_verify_without_torch(tmp_path: Path) -> None:
    """Weights are read as numbers; only measuring again needs torch, and says how to get it."""
    from hubexpert.assemble import assemble
    from tests.locks import a_build_folder, a_lock

    assemble(a_lock(), a_build_folder(tmp_path / "build"), tmp_path / "publish", repo="tester/science-expert")
    done = light(tmp_path, "verify", "publish", "--json", "--offline")
    assert done.returncode == 1, done.stderr
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["check"] for one in checks if one.get("wrong")] == ["configuration", "weights", "router"]
    code = (
        "from hubexpert.verify import _measured_again as again\nfrom tests.locks import a_lock\n"
        "from hubexpert.verify import open_copy\n"
        "print(list(again(a_lock(), open_copy('publish'), (), wrong=False, quiet=True))[0].what)"
    )
    without = WITHOUT.partition("from hubexpert.cli")[0]
    told = subprocess.run(
        [sys.executable, "-c", without + code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert told.stdout.startswith("Not measured:"), told.stderr
    assert "pip install 'hubexpert[train]'" in told.stdout


def test_discover_without_torch(store: "Store", tmp_path: Path) -> None:
    """Adapters are found and judged from their headers alone."""
    from tests import tiny

    store.add_folder("tester/light-lora", tiny.lora(tmp_path / "lora", seed=0, base="tester/light-base"))
    done = light(tmp_path, "discover", "--base", "tester/light-base", "--json")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(f["repo"], f["verdict"], f["rank"]) for f in found] == [("tester/light-lora", "accepted", 4)]


def test_discover_says_once_that_no_rows_were_read_without_the_library(store: "Store", tmp_path: Path) -> None:
    from tests.discover.data import dataset
    from tests.discover.making import adapter, card

    for name in ("one", "two"):
        dataset(store, tmp_path, f"tester/light-{name}")
    text = card("tester/light-citing", extra="datasets: [tester/light-one, tester/light-two]")
    store.add_folder("tester/light-citer", adapter(tmp_path / "citer", "tester/light-citing", text=text))
    done = light(tmp_path, "discover", "--base", "tester/light-citing")
    assert done.returncode == 0, done.stderr
    assert "tester/light-one" in done.stdout
    assert done.stderr.count("No rows of datasets were read") == 1


def test_card_report_and_status_without_torch(tmp_path: Path) -> None:
    """From the lock and the examples alone: these examples are not those of the lock, so the expert is stale."""
    from hubexpert.lock import write_lock
    from tests.locks import a_build_folder, a_lock

    a_build_folder(tmp_path / ".hubexpert" / "build")
    lock = a_lock()
    write_lock(tmp_path / "hubexpert.lock", lock)
    (tmp_path / "hubexpert.yaml").write_text(json.dumps(lock.recipe))
    for name in ("shots", "test"):
        file = tmp_path / lock.recipe["task"][name]
        file.parent.mkdir(exist_ok=True)
        file.write_text('{"input": "a", "output": "b"}\n')
    done = light(tmp_path, "card")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".hubexpert/publish/README.md").is_file()
    done = light(tmp_path, "report")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".hubexpert/report.html").is_file()
    done = light(tmp_path, "status", "--json", "--offline")
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["state"] == "stale"


def test_status_asks_and_discovers_without_torch(store: "Store", tmp_path: Path) -> None:
    from tests.test_status_upstream import a_project

    a_project(tmp_path, store, "lighter", ("tester",))
    done = light(tmp_path, "status", "--discover", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"state": "fresh", "reasons": []}


def test_a_heavy_command_says_what_to_install(store: "Store", tmp_path: Path) -> None:
    """Without the `train` extra: one sentence and a fix."""
    from tests import tiny

    store.add_folder("tester/heavy-base", tiny.save_base(tmp_path / "base"))
    store.add_folder("tester/heavy-lora", tiny.lora(tmp_path / "lora", seed=0, base="tester/heavy-base"))
    (tmp_path / "hubexpert.yaml").write_text("base: tester/heavy-base\ntask: {name: t, shots: s.jsonl}\n")
    (tmp_path / "s.jsonl").write_text('{"input": "a", "output": "b"}\n')
    done = light(tmp_path, "score")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "hubexpert[train]" in done.stderr


def test_what_needs_a_library_that_is_not_installed_says_which_and_how_to_get_it() -> None:
    with pytest.raises(HubExpertError, match="no_such_library, which does it, is not installed") as error:
        needed("no_such_library.part", "does it")
    assert "hubexpert[data]" in error.value.fix
