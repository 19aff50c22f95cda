"""A base by its name alone, asked of a real Hub."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from hubexpert import hub
from hubexpert.base import resolve_base
from hubexpert.discover import discover, resolve_name
from hubexpert.discover.aliases import AmbiguousBaseError
from hubexpert.errors import HubExpertError
from hubexpert.localhub import Store
from hubexpert.recipe import DiscoverSection
from tests.commands import run
from tests.discover.faults import client, faulty_hub
from tests.discover.making import adapter


def model(store: Store, folder: Path, repo: str, **card: object) -> str:
    """A model without weights on the Hub, its card holding these fields; its commit."""
    place = folder / repo
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (place / "README.md").write_text(f"---\n{json.dumps({'license': 'mit', **card})}\n---\n# A model\n")
    return store.add_folder(repo, place)


def test_the_one_model_of_that_name_is_the_base_however_the_name_is_written(store: Store, tmp_path: Path) -> None:
    commit = model(store, tmp_path, "one-org/Finch-2-1B-hf")
    for written in ("finch-2-1b", "Finch 2 1B", "FINCH-2-1B-HF", "finch-2-1b"):
        assert resolve_name(written) == ("one-org/Finch-2-1B-hf", None)
    assert resolve_name("finch-2-1b@v1") == ("one-org/Finch-2-1B-hf", "v1")
    assert resolve_base("finch-2-1b").revision == commit


def test_what_is_made_of_a_model_of_that_name_is_left_out(store: Store, tmp_path: Path) -> None:
    base = "whole/Heron-1B"
    model(store, tmp_path, base)
    store.add_folder("made/heron-1b", adapter(tmp_path / "adapter", base))
    store.add_folder("untold/heron-1b", adapter(tmp_path / "untold", base, text="---\nlicense: mit\n---\n"))
    model(store, tmp_path, "tuned/Heron-1B", base_model=base)
    model(store, tmp_path, "small/Heron-1B", base_model=base, base_model_relation="quantized")
    model(store, tmp_path, "mixed/Heron-1B", base_model=[base, "whole/Other"], base_model_relation="merge")
    model(store, tmp_path, "else/Heron-1B-Instruct")
    model(store, tmp_path, "else/Heron-1B-Chat-hf")
    assert resolve_name("heron-1b") == (base, None)


def test_a_model_in_two_formats_by_one_owner_is_the_one_with_the_very_name(store: Store, tmp_path: Path) -> None:
    model(store, tmp_path, "both/Robin-1B-hf")
    model(store, tmp_path, "both/Robin-1B")
    assert resolve_name("robin-1b") == ("both/Robin-1B", None)
    assert resolve_name("robin-1b-hf") == ("both/Robin-1B-hf", None)


def test_several_owners_are_listed_with_the_most_downloaded_first(store: Store, tmp_path: Path) -> None:
    for owner in ("a-org", "b-org", "c-org"):
        model(store, tmp_path, f"{owner}/Wren-1B{'-hf' if owner == 'c-org' else ''}")
    hub.read_json(hub.look("b-org/Wren-1B").source, "config.json")  # counts as a download
    with pytest.raises(AmbiguousBaseError) as caught:
        resolve_name("wren 1b")
    assert caught.value.choices == ("b-org/Wren-1B", "a-org/Wren-1B", "c-org/Wren-1B-hf")
    assert "b-org/Wren-1B (1 download), a-org/Wren-1B (0 downloads)" in caught.value.message


def test_where_nothing_has_the_name_the_nearest_are_named(store: Store, tmp_path: Path) -> None:
    model(store, tmp_path, "near/Stork-1B-Chat")
    with pytest.raises(HubExpertError) as caught:
        resolve_name("stork-1b")
    assert not isinstance(caught.value, AmbiguousBaseError)
    assert "near/Stork-1B-Chat" in caught.value.fix
    assert hub.endpoint() in caught.value.message
    with pytest.raises(HubExpertError, match="no base model of that name") as caught:
        resolve_name("lama-2-7b")
    assert "did you mean llama-2-7b" in caught.value.fix


def test_only_a_name_without_an_alias_costs_a_request_and_one_with_spaces_two(endpoint: str) -> None:
    script = "from hubexpert.discover import resolve_name\nprint(resolve_name({name!r}))"
    searches = {"llama-2-7b": 0, "some/model": 0, "./folder": 0, "mistral-7b": 0, "gull-1b": 1, "gull 1b": 2}
    for name, expected in searches.items():
        with faulty_hub(endpoint) as (address, seen):
            client(script.format(name=name), address)
        assert sum(seen.values()) == expected, name


def test_offline_an_unknown_name_is_told_with_a_way_to_search(endpoint: str) -> None:
    script = "from hubexpert.cli.main import main\nmain(['discover', '--base', 'lama-2-7b'])"
    with faulty_hub(endpoint) as (address, seen):
        done = client(script, address, HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert "There is no alias 'lama-2-7b'" in done.stderr
    assert "did you mean llama-2-7b" in done.stderr
    assert "without --offline and HF_HUB_OFFLINE" in done.stderr
    assert not seen


def test_discovery_takes_a_name_that_only_the_hub_knows(store: Store, tmp_path: Path) -> None:
    model(store, tmp_path, "found/Plover-1B")
    store.add_folder("found/lora", adapter(tmp_path / "lora", "found/Plover-1B"))
    found = discover("plover-1b", DiscoverSection(), quiet=True)
    assert found.base == "found/Plover-1B"
    assert [c.source.repo for c in found.accepted] == ["found/lora"]


def test_without_a_terminal_an_ambiguous_base_is_an_error_that_lists_the_choices(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("discover", "--base", "mistral-7b") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "Error: The base 'mistral-7b' may be any of: mistralai/Mistral-7B-v0.1, mistralai/Mistral-7B-v0.3.\n"
        "Fix: give one of them: --base ID  (in a recipe, `base: ID`)\n"
    )


@pytest.mark.parametrize(("options", "asked"), [((), True), (("--json",), False)])
def test_at_a_terminal_the_user_is_asked_and_the_answer_is_the_base(
    store: Store, tmp_path: Path, options: tuple[str, ...], asked: bool
) -> None:
    for owner in ("left", "right"):
        model(store, tmp_path, f"{owner}/Dove-{asked}")
    store.add_folder(f"right/lora-{asked}", adapter(tmp_path / "lora", f"right/Dove-{asked}"))
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"nonsense\nright/dove-{asked}\n".encode())
        command = [sys.executable, "-m", "hubexpert", "discover", "--base", f"dove-{asked}", "--quiet", *options]
        done = subprocess.run(
            command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=60, check=False
        )
        shown = os.read(ours, 65536).decode()  # the question alone: less than a terminal holds back
    finally:
        os.close(ours)
        os.close(theirs)
    assert ("Which is meant?" in shown) is asked
    assert (done.returncode, f"right/lora-{asked}" in done.stdout) == ((0, True) if asked else (1, False))
    assert "Which" not in done.stdout
