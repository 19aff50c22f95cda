"""No path of this machine in a lock."""

from pathlib import Path

import pytest

from hubexpert.lock import Lock, render_lock, without_places
from hubexpert.lock.places import placeless
from hubexpert.records import Refused
from tests.locks import a_lock, a_recipe, source


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("No such file: '/home/alice/.cache/x/part-0.parquet'", "No such file: 'part-0.parquet'"),
        ("/home/alice/rows.jsonl is damaged", "rows.jsonl is damaged"),
        ("in ~alice/models/base, and (/tmp/x/y)", "in base, and (y)"),
        ("FileNotFoundError:/home/alice/x", "FileNotFoundError:x"),
        ("'/home/John Smith/a b.txt' and '/x/c' are gone", "'a b.txt' and 'c' are gone"),
        ("read / write, /// and ~ stay",) * 2,
        ("403 for url: https://me:hf_key@hub.example/a/b?Signature=hf_key.", "403 for url: https://hub.example/a/b"),
        ("(https://hub.example/a/b#x) and mail@hub.example", "(https://hub.example/a/b) and mail@hub.example"),
        ("It does not exist on https://hub.example/api/models/a/b, or is private.",) * 2,
        ("1/2 of acme/science-lora at ./rows/x.jsonl",) * 2,
    ],
)
def test_a_sentence_keeps_the_last_part_of_an_absolute_path(said: str, told: str) -> None:
    assert placeless({"reason": said, "reasons": [said], "unread": {"a/b": said}}) == {
        "reason": told,
        "reasons": [told],
        "unread": {"a/b": told},
    }


def test_what_is_left_out_once_stays_as_it_is() -> None:
    raw = {"repo": "/home/alice/a b", "shots": "~/s.jsonl", "instruction": "/no_think", "rows": {"/home/alice/x": [1]}}
    bare = {"repo": "./a b", "shots": "s.jsonl", "instruction": "/no_think", "rows": {"./x": [1]}}
    assert placeless(raw) == bare == placeless(bare)


def everywhere(folder: Path) -> Lock:
    """A lock with the folder in all places where a path may come to."""
    recipe = a_recipe(
        base=str(folder / "base"),
        task={
            "name": "t",
            "shots": str(folder / "s.jsonl"),
            "test": str(folder / "t.jsonl"),
            "metric": str(folder / "metric.py"),
            "datasets": [str(folder / "rows.jsonl")],
        },
        discover={
            "include": [str(folder / "lora")],
            "columns": {str(folder / "rows.jsonl"): {"input": "a", "output": "b"}},
        },
        data={
            "encoder": str(folder / "encoder"),
            "knowledge": [str(folder / "facts.txt")],
            "datasets": [str(folder / "rows.jsonl")],
            "teacher": {"model": str(folder / "teacher"), "local": True},
            "kard": {"model": str(folder / "encoder")},
        },
    )
    lock = a_lock(base=source(str(folder / "base")), recipe=recipe)
    refused = Refused(source=source(str(folder / "lora")), code="broken", reason=f"{folder}/x cannot be read")
    scores = lock.scores.model_copy(update={"metric": str(folder / "metric.py"), "refused": (refused,)})
    discovery = lock.discovery.model_copy(update={"base": str(folder / "base")})
    return lock.model_copy(update={"scores": scores, "discovery": discovery})


def test_no_folder_of_this_machine_is_left_in_a_lock(tmp_path: Path) -> None:
    """And each file is still told by its last name."""
    assert str(tmp_path) in render_lock(everywhere(tmp_path))
    bare = without_places(everywhere(tmp_path))
    text = render_lock(bare)
    assert str(tmp_path) not in text and tmp_path.name not in text
    for name in ("base", "s.jsonl", "metric.py", "rows.jsonl", "encoder", "facts.txt", "teacher", "lora"):
        assert f'{name}"' in text
    assert without_places(bare) == bare
    assert (bare.scores.metric, bare.recipe["task"]["metric"]) == ("metric.py", "metric.py")


def test_a_lock_without_paths_stays_as_it_is() -> None:
    assert without_places(a_lock()) == a_lock()
