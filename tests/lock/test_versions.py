"""Locks of older versions are read, shown and written anew; newer and damaged ones are told."""

import json
from pathlib import Path
from typing import Any

import pytest

from hubexpert.assemble import assemble
from hubexpert.card import render_card
from hubexpert.errors import HubExpertError
from hubexpert.lock import LOCK_VERSION, holds, read_lock, render_lock, write_lock
from hubexpert.publish import Wish, rehearse
from hubexpert.recipe import parse_recipe
from hubexpert.status import changed_keys
from tests.locks import a_build_folder, a_lock

FIRST = Path(__file__).parents[1] / "data" / "lock-v1.lock"


def test_a_lock_of_version_1_is_read_shown_and_written_as_this_version(tmp_path: Path) -> None:
    """Its digest of the data hung on where files lay: none is claimed. All else is as it was."""
    old, lock = json.loads(FIRST.read_text()), read_lock(FIRST)
    assert (old["version"], lock.version) == (1, LOCK_VERSION)
    card = render_card(lock, repo="me/it", drawn=())
    assert "open/rows" in card and "open/facts" in card
    assert old["data"]["digest"] not in card and "(with the shots, sha256 `-`)" in card
    write_lock(tmp_path / "hubexpert.lock", lock)
    assert read_lock(tmp_path / "hubexpert.lock") == lock
    new = json.loads((tmp_path / "hubexpert.lock").read_text())
    report, data = {**old["report"], "longest": None}, {**old["data"], "digest": None}
    assert new == {**old, "version": LOCK_VERSION, "report": report, "data": data}


def test_the_paths_of_a_lock_of_version_1_are_left_behind(tmp_path: Path) -> None:
    raw = json.loads(FIRST.read_text())
    raw["kard"]["reranker"]["start"] = raw["scores"]["metric"] = "/home/alice/thing"
    (tmp_path / "old.lock").write_text(json.dumps(raw))
    assert "alice" not in render_lock(read_lock(tmp_path / "old.lock"))


def test_a_recipe_has_not_changed_because_the_version_has() -> None:
    lock = read_lock(FIRST)
    assert changed_keys(parse_recipe(json.loads(FIRST.read_text())["recipe"], name="recipe"), lock) == []


@pytest.mark.usefixtures("endpoint")
def test_what_was_assembled_or_published_by_an_older_version_is_the_same_lock(tmp_path: Path) -> None:
    """So it is not called another one, and a publication sends it as this version."""
    lock, folder = read_lock(FIRST), tmp_path / "publish"
    assemble(lock, a_build_folder(tmp_path / "build"), folder, repo=None)
    (folder / "hubexpert.lock").write_bytes(FIRST.read_bytes())
    assert holds(folder / "hubexpert.lock", lock)
    rehearse(lock, folder, Wish("tester/test_older_lock", force=True))
    assert not holds(folder / "hubexpert.lock", a_lock())
    (folder / "hubexpert.lock").write_text("{")
    assert not holds(folder / "hubexpert.lock", lock)


def test_a_newer_lock_says_how_to_read_it(tmp_path: Path) -> None:
    (tmp_path / "it.lock").write_text(json.dumps({"version": LOCK_VERSION + 1, "anything": []}))
    with pytest.raises(HubExpertError, match=f"newer hubexpert .lock version {LOCK_VERSION + 1}") as error:
        read_lock(tmp_path / "it.lock")
    assert error.value.fix == "pip install -U hubexpert"


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw.pop("version"),
        lambda raw: raw.update(version=0),
        lambda raw: raw.update(version=True),
        lambda raw: raw.update(version="1"),
        lambda raw: raw.update(data=["no section"]),
        lambda raw: raw.update(base=None),
        lambda raw: raw.update(unknown=1),
    ],
    ids=["no version", "0", "true", "text", "data", "base", "unknown"],
)
def test_a_damaged_lock_of_an_older_version_is_told(damage: Any, tmp_path: Path) -> None:
    raw = json.loads(FIRST.read_text())
    damage(raw)
    (tmp_path / "it.lock").write_text(json.dumps(raw))
    with pytest.raises(HubExpertError, match="is damaged"):
        read_lock(tmp_path / "it.lock")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"3"])
def test_what_is_no_lock_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "it.lock").write_bytes(content)
    with pytest.raises(HubExpertError, match="is damaged"):
        read_lock(tmp_path / "it.lock")
