"""Bad input gets one sentence and a fix on stderr, exit code 1, no traceback, and loses nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hubexpert.localhub import Store

RECIPE = """base: {base}
task: {{name: toy, instruction: Sort., shots: shots.jsonl, test: test.jsonl}}
experts: {{candidates: 2, count: 1}}
train: {{epochs: 0}}
"""
GOOD = '{"input": "a", "output": "left"}\n{"input": "b", "output": "right"}\n'


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hubexpert", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def write(folder: Path, *, base: str = "tester/lonely-base", shots: str = GOOD, recipe: str = RECIPE) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "hubexpert.yaml").write_text(recipe.format(base=base))
    (folder / "shots.jsonl").write_text(shots)
    (folder / "test.jsonl").write_text('{"input": "c", "output": "left"}\n')
    return folder


def told(done: subprocess.CompletedProcess[str], sentence: str, fix: str) -> None:
    """Exactly an error line and a fix line at the end, nothing on stdout."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    error, mend = done.stderr.strip().splitlines()[-2:]
    assert error.startswith("Error: ") and sentence in error, done.stderr
    assert mend.startswith("Fix: ") and fix in mend, done.stderr
    assert done.stdout == ""


@pytest.fixture(scope="module")
def lonely(store: "Store", tmp_path_factory: pytest.TempPathFactory) -> None:
    """A base for which there is no adapter."""
    from tests import tiny

    store.add_folder("tester/lonely-base", tiny.save_base(tmp_path_factory.mktemp("base")))


def test_no_recipe(tmp_path: Path) -> None:
    """The message names the command that writes one."""
    told(run(tmp_path, "score"), "There is no recipe", "hubexpert init")


def test_the_way_out_is_of_the_same_recipe(tmp_path: Path) -> None:
    """A recipe elsewhere is named in the commands that errors and hints tell, so that they work as they stand."""
    write(tmp_path / "my task")
    for option in (("--recipe", "my task/hubexpert.yaml"), ("--recipe=my task/hubexpert.yaml",)):
        told(run(tmp_path, "card", *option), "There is no lock", "hubexpert run --recipe 'my task/hubexpert.yaml'")
    hinted = run(tmp_path, "status", "--offline", "--recipe", "my task/hubexpert.yaml").stderr
    named = "--recipe 'my task/hubexpert.yaml'"
    assert f"Next: hubexpert run {named} --refresh, then hubexpert publish {named}\n" in hinted


def test_missing_shots_file(tmp_path: Path) -> None:
    """The path is named."""
    (write(tmp_path) / "shots.jsonl").unlink()
    told(run(tmp_path, "score"), "shots.jsonl", "task.shots")


@pytest.mark.parametrize(
    ("shots", "sentence"),
    [
        ('{"input": "a"}\n', "shots.jsonl:1 has no output"),
        ('{"input": "a", "output": ""}\n', "shots.jsonl:1 has no output"),
        (GOOD + "not json\n", "shots.jsonl:3 is not a JSON object"),
        (
            GOOD + '{"input": "a", output: "b"}\n',
            "shots.jsonl:3 is not a JSON object: at character 16, Expecting property",
        ),
        ('{"output": "a"}\n', "shots.jsonl:1 has no input"),
        ("[1]\n", "shots.jsonl:1 is not a JSON object"),
        ("\n", "holds no examples"),
        ('{"instruction": ["x"], "input": "a", "output": "b"}\n', "`instruction` is no text"),
        ('{"input": "a", "output": "b", "choices": ["c", "d"]}\n', "none of its choices"),
        ('{"messages": [{"role": "user", "content": "a"}]}\n', "shots.jsonl:1: `messages`"),
        (GOOD + '{"input": "a \\ud83d", "output": "b"}\n', "shots.jsonl:3 holds half of a surrogate pair"),
        ('{"input": "a", "output": "b", "rationale": "\\udc00"}\n', "shots.jsonl:1 holds half of a surrogate pair"),
    ],
)
def test_shots_that_are_no_examples(shots: str, sentence: str, tmp_path: Path) -> None:
    """File and line are named."""
    from hubexpert.errors import HubExpertError
    from hubexpert.shots import read_examples

    with pytest.raises(HubExpertError) as caught:
        read_examples(write(tmp_path, shots=shots) / "shots.jsonl")
    assert sentence in caught.value.message
    assert caught.value.fix


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"instruction": "Say hi.", "input": "", "output": "hi"}, ("", "Say hi.", "hi")),
        ({"prompt": "a", "completion": "b"}, ("Sort.", "a", "b")),
        ({"input": "a\u2028b", "target": 4}, ("Sort.", "a\u2028b", "4")),
        ({"input": "a", "output": "\U0001f600"}, ("Sort.", "a", "\U0001f600")),
        (
            {
                "messages": [
                    {"role": "system", "content": "S"},
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "content": "b"},
                ]
            },
            ("S", "a", "b"),
        ),
    ],
)
def test_rows_of_every_form(row: dict[str, object], wanted: tuple[str, str, str], tmp_path: Path) -> None:
    """Alpaca rows, prompts and completions, numbers, chats; a line separator inside a text does not end the line."""
    from hubexpert.shots import read_examples

    (tmp_path / "s.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    example = read_examples(tmp_path / "s.jsonl", instruction="Sort.")[0]
    assert (example.instruction, example.input, example.output) == wanted


def test_shots_without_outputs(tmp_path: Path) -> None:
    """From the command line, too."""
    told(run(write(tmp_path, shots='{"input": "a"}\n'), "score"), "shots.jsonl:1 has no output", "label every example")


def test_a_missing_file_that_no_recipe_names(tmp_path: Path) -> None:
    """Before there is a recipe, the path alone can be wrong."""
    told(run(tmp_path, "shots", "check", "none.jsonl"), "no examples file at none.jsonl", "correct the path")


def test_unknown_recipe_key_names_the_nearest(tmp_path: Path) -> None:
    """A typing error in a section."""
    recipe = RECIPE.replace("epochs", "epoch")
    told(run(write(tmp_path, recipe=recipe), "score"), "unknown key `train.epoch`", "did you mean `epochs`?")


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ("base: [\n", "not valid YAML"),
        ("- a\n", "no mapping"),
        ("base: x\n", "lacks the key `task`"),
        (RECIPE + "seed: x\n", "`seed` is wrong"),
        (RECIPE + "seed: -1\n", "`seed` is wrong"),
        (RECIPE.replace("epochs: 0", "train: []"), "`train.train` is wrong"),
        (RECIPE.replace("count: 1", "count: 3"), "`experts` is wrong"),
        (RECIPE.replace("toy", "2024-13-45"), "not valid YAML"),
        (RECIPE + "bse: x\n", "unknown key `bse`"),
        (RECIPE.replace("Sort.", '"\\ud83d\\ude00"'), "`task.instruction` is wrong: it holds half of"),
    ],
)
def test_recipes_that_are_none(recipe: str, sentence: str, tmp_path: Path) -> None:
    """Every kind of mistake has its sentence."""
    from hubexpert.errors import HubExpertError
    from hubexpert.recipe import read_recipe

    path = tmp_path / "hubexpert.yaml"
    path.write_text(recipe.format(base="x") if "{base}" in recipe else recipe)
    with pytest.raises(HubExpertError) as caught:
        read_recipe(path)
    assert sentence in caught.value.message
    assert caught.value.fix


def test_base_not_found(tmp_path: Path) -> None:
    """A base that does not exist is told before anything is scored."""
    done = run(write(tmp_path, base="tester/no-such-base"), "run")
    told(done, "tester/no-such-base does not exist", "check the name")


def test_discovering_for_a_base_that_does_not_exist(tmp_path: Path) -> None:
    """No such base and no adapter of it: a typing error, not an empty result."""
    done = run(tmp_path, "discover", "--base", "tester/no-such-base")
    told(done, "tester/no-such-base does not exist", "check the name")


def test_a_base_that_is_no_folder(tmp_path: Path) -> None:
    """A path is never looked up on the Hub, so a wrong one must not look like a base without adapters."""
    told(run(tmp_path, "discover", "--base", "./none"), "There is no model at none", "correct the path")
    told(run(write(tmp_path, base="./none"), "discover"), "There is no model at", "correct the path")


@pytest.mark.parametrize(
    ("address", "sentence", "fix"),
    [
        ("127.0.0.1:9", "HF_ENDPOINT is no address of a Hub: 127.0.0.1:9", "begin it with https://"),
        ("{endpoint}/api", "refuses the request", "HF_ENDPOINT (now {endpoint}/api)"),
    ],
)
def test_an_address_that_is_no_hubs(address: str, sentence: str, fix: str, endpoint: str, tmp_path: Path) -> None:
    done = run(tmp_path, "discover", "--base", "a/b", HF_ENDPOINT=address.format(endpoint=endpoint))
    told(done, sentence, fix.format(endpoint=endpoint))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "hubexpert", "lock", "--format", "schema"]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No space left on device.\nFix: make room here, in HF_HOME")


def test_unknown_alias(tmp_path: Path) -> None:
    """An alias nobody knows names the closest ones."""
    told(run(tmp_path, "discover", "--base", "lama-2-7b"), "lama-2-7b", "llama-2-7b")


def test_no_adapter_left(lonely: None, tmp_path: Path) -> None:
    """Nothing to score: the message says where to look."""
    told(run(write(tmp_path, base="tester/lonely-base"), "score"), "No usable adapter", "hubexpert discover")


def test_no_token(tmp_path: Path) -> None:
    """Publishing without a token says how to log in."""
    from hubexpert.lock import write_lock
    from tests.locks import a_build_folder, a_lock

    folder = write(tmp_path)
    a_build_folder(folder / ".hubexpert" / "build")
    write_lock(folder / "hubexpert.lock", a_lock())
    assert run(folder, "card", "--quiet").returncode == 0
    done = run(folder, "publish", "--repo", "tester/never", "--force", HF_TOKEN="", HF_HOME=str(tmp_path / "home"))
    told(done, "token", "hf auth login")


def test_held_out_rows_are_needed_for_a_proof(lonely: None, tmp_path: Path) -> None:
    """Without `task.test` nothing is claimed."""
    recipe = RECIPE.replace(", test: test.jsonl", "")
    told(run(write(tmp_path, recipe=recipe), "evaluate"), "names no held-out examples", "task.test")
