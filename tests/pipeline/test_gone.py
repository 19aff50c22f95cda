"""A source that is gone from the Hub: `status` says so, a run goes on from the cache, or else says what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from hubexpert import pipeline
from hubexpert.localhub import Store
from hubexpert.status import status
from tests import tiny
from tests.commands import run


def test_a_deleted_expert_is_told_and_taken_from_the_cache(
    project: Callable[..., Path], store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, stays, gone = "tester/gone-base", "tester/gone-other-lora", "tester/gone-lora"  # none that others look for
    store.add_folder(base, tiny.save_base(tmp_path / "base"))
    for seed, name in enumerate((stays, gone), start=11):
        store.add_folder(name, tiny.lora(tmp_path / name, seed=seed, base=base))
    recipe = project(
        base=base,
        experts={"candidates": 2, "count": 2},
        evaluate={"contributions": 0},
        train={"epochs": 1, "learning_rate": 1e-3, "folds": 0, "shared_rank": 4},
    )
    assert run("run", "--recipe", str(recipe), "--quiet") == 0
    HfApi().delete_repo(gone)
    reasons = status(recipe).reasons
    assert any(reason.startswith(f"the expert {gone}: {gone} does not exist") for reason in reasons), reasons

    recipe.write_text(recipe.read_text() + "seed: 5\n")
    assert run("build", "--recipe", str(recipe), "--quiet") == 0
    shutil.rmtree(Path(constants.HF_HUB_CACHE, f"models--{gone.replace('/', '--')}"))
    recipe.write_text(recipe.read_text().replace("epochs: 1\n", "epochs: 3\n"))
    capsys.readouterr()
    assert run("build", "--recipe", str(recipe), "--quiet") == 1
    told = capsys.readouterr().err
    assert f"{gone} does not exist" in told and "not in the cache" in told
    assert f"hubexpert run --recipe {recipe} --refresh" in told

    found = pipeline.discover(pipeline.open_project(recipe, quiet=True), again=True)  # as a refresh does
    assert [candidate.source.repo for candidate in found.accepted] == [stays]
    assert run("build", "--recipe", str(recipe), "--quiet") == 0
