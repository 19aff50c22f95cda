"""`kill -9` anywhere, the same command again: it finishes, and nothing finished is done twice."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from hubexpert import pipeline
from hubexpert.errors import HubExpertError
from hubexpert.hub import resolve
from tests.pipeline.world import POOL, write_jsonl
from tests.reranker.making import tiny_encoder, translated

PATIENCE = 120.0  # seconds


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "hubexpert", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_when(arguments: Sequence[str], reached: Callable[[], bool], *, later: float = 0.0) -> None:
    """Run the command and kill it `later` seconds after it has got there; fails where it ends before it gets there."""
    process = start(*arguments)
    end = time.monotonic() + PATIENCE
    while not reached():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end, "it never got there"
        time.sleep(0.002)
    time.sleep(later)
    process.kill()
    process.wait()


def finish(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "hubexpert", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_killed_while_scoring(project: Callable[..., Path]) -> None:
    """The journal keeps what was finished; the next run measures only the rest."""
    recipe = project(shots=200)
    journal = recipe.parent / ".hubexpert" / "scores.jsonl"
    arguments = ["score", "--recipe", str(recipe), "--quiet"]
    kill_when(arguments, lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 2)
    kept = journal.read_bytes()
    finished = kept.count(b"\n")
    with journal.open("ab") as file:
        file.write(b'{"key": "cut sho')  # what a kill in the middle of a line leaves
    finish(*arguments)
    after = journal.read_bytes()
    assert after.startswith(kept)
    keys = []
    for line in after.splitlines():
        if not line.startswith(b'{"key": "cut sho'):
            keys.append(json.loads(line)["key"])
    assert 2 <= finished < len(keys)
    assert len(keys) == len(set(keys)) == 200 * (1 + len(POOL)) + len(("bad-nan", "bad-zero"))


def test_killed_while_training_ends_with_the_same_weights(project: Callable[..., Path]) -> None:
    """A build goes on from its last epoch and gives what an uninterrupted one gives, bit for bit."""
    settings = {
        "shots": 48,
        "train": {"epochs": 6, "learning_rate": [1e-3, 2e-3], "folds": 2},
        "discover": {"exclude": ["tester/solver"]},
    }
    whole, killed = project("whole", **settings), project("killed", **settings)
    finish("build", "--recipe", str(whole), "--quiet")
    workspace = killed.parent / ".hubexpert"
    arguments = ["build", "--recipe", str(killed), "--quiet"]
    kill_when(arguments, lambda: len(list(workspace.glob("checkpoints/*/*/checkpoint-*/trainer_state.json"))) > 0)
    assert not (workspace / "build.json").exists()
    for folder in workspace.glob("checkpoints/*/*"):
        (folder / "checkpoint-99999").mkdir()  # what a kill while a checkpoint is written leaves
    finish(*arguments)
    results = [json.loads((r.parent / ".hubexpert" / "build.json").read_text())["result"] for r in (whole, killed)]
    assert results[0]["files"] == results[1]["files"]
    assert results[0]["losses"] == results[1]["losses"]
    assert not list(workspace.glob("checkpoints/*"))


@pytest.mark.slow
def test_killed_while_the_reranker_learns_it_ends_as_without_a_kill(
    project: Callable[..., Path], tmp_path: Path
) -> None:
    """It goes on from its last epoch, and what was trained is the same to the bit."""
    questions, rationales, _ = translated(40, seed=1)
    facts = [f"the {told}" for told in rationales]
    words = zip(questions, rationales, strict=True)
    asked = [{"input": f"the {question}", "output": "yes", "rationale": told} for question, told in words]
    encoder = str(tiny_encoder(tmp_path / "encoder"))
    kard = {"model": encoder, "epochs": 3, "learning_rate": 3e-3, "sharpness": [0.1, 0.2], "way": 1}
    recipes = []
    for name in ("whole", "killed"):
        data = {"methods": ["kard"], "knowledge": "facts.jsonl", "kard": kard}
        recipe = project(name, data=data, discover={"datasets": 0}, train={"epochs": 1})
        write_jsonl(recipe.parent / "facts.jsonl", [{"text": text} for text in facts])
        write_jsonl(recipe.parent / "kshot/train.jsonl", asked)
        recipes.append(recipe)
    whole, killed = recipes
    finish("build", "--recipe", str(whole), "--quiet")
    workspace = killed.parent / ".hubexpert"
    arguments = ["build", "--recipe", str(killed), "--quiet"]
    kill_when(arguments, lambda: any(workspace.glob("reranker-checkpoints/*/*")))
    assert not (workspace / "reranker.json").exists()
    finish(*arguments)
    told = [json.loads((r.parent / ".hubexpert" / "reranker.json").read_text())["result"] for r in (whole, killed)]
    assert told[0] == told[1] and len(told[0]["losses"]) == 3
    assert told[0]["after"] != told[0]["before"]  # what they are the same in is what the trained weights do
    weights = [(r.parent / ".hubexpert/reranker/model.safetensors").read_bytes() for r in (whole, killed)]
    assert weights[0] == weights[1]
    assert not list(workspace.glob("reranker-checkpoints/*"))


@pytest.mark.parametrize("later", [0.05, *(pytest.param(later, marks=pytest.mark.slow) for later in (0.0, 0.2))])
def test_killed_while_publishing(later: float, project: Callable[..., Path]) -> None:
    """Whenever it dies, publishing again ends with one commit that holds everything."""
    recipe = project(train={"epochs": 0}, experts={"candidates": 2, "count": 1})
    opened = pipeline.open_project(recipe, quiet=True)
    pipeline.run(opened)
    repo = str(opened.recipe.publish.repo)
    arguments = ["publish", "--recipe", str(recipe), "--quiet", "--force"]
    kill_when(arguments, lambda: _exists(repo), later=later)
    finish(*arguments)
    finish(*arguments)
    titles = [commit.title for commit in HfApi().list_repo_commits(repo)]
    assert len([title for title in titles if title.startswith("toy: ")]) == 1, titles
    wanted = {str(p.relative_to(recipe.parent / ".hubexpert/publish")) for p in _files(recipe)}
    assert wanted <= set(HfApi().list_repo_files(repo))


def _exists(repo: str) -> bool:
    try:
        return bool(resolve(repo))
    except HubExpertError:
        return False


def _files(recipe: Path) -> list[Path]:
    return [p for p in (recipe.parent / ".hubexpert/publish").rglob("*") if p.is_file()]
