"""The whole line with training spread over processes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.commands import run


def test_a_build_by_two_processes_is_that_of_one(
    project: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`hubexpert build --processes 2`: the same up to rounding, nothing is left behind, and it is not built again.

    A module of the folder's that is called as a library is none.
    """
    (tmp_path / "peft.py").write_text("raise SystemExit(7)\n")
    monkeypatch.chdir(tmp_path)
    made, files = [], []
    for name, processes in (("one", "1"), ("two", "2")):
        recipe = project(name, experts={"candidates": 2, "count": 2}, train={"epochs": 1, "batch_size": 5})
        arguments = ("build", "--recipe", str(recipe), "--processes", processes, "--quiet", "--json")
        assert run(*arguments) == 0
        said = capsys.readouterr()
        assert said.err == ""
        made.append(json.loads(said.out))
        workspace = recipe.parent / ".hubexpert"
        assert not list(workspace.glob("checkpoints/*"))
        files.append({p.name: load_file(p) for p in (workspace / "build").glob("*.safetensors")})
        assert run("build", "--recipe", str(recipe), "--quiet", "--json") == 0
        assert json.loads(capsys.readouterr().out) == made[-1]
    one, two = files
    for file, tensors in one.items():
        for name, tensor in tensors.items():
            assert torch.allclose(tensor, two[file][name], rtol=1e-3, atol=1e-5), name
    assert made[0]["losses"] == pytest.approx(made[1]["losses"], rel=1e-4)
