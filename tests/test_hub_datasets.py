"""The door to datasets, before a real Hub: what it says of them, what a search finds, their first rows."""

import gzip
import io
import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from huggingface_hub import HfApi

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.localhub import Store
from hubexpert.records import Source
from tests.discover.data import QUESTIONS, dataset
from tests.discover.faults import Fault, client, faulty_hub


def test_one_request_tells_all_about_a_dataset(store: Store, endpoint: str, tmp_path: Path) -> None:
    commit = dataset(store, tmp_path, "door/data", extra="configs:\n- config_name: x\ntask_categories: [summarization]")
    listing = hub.look_dataset("door/data")
    assert listing.source == Source(repo="door/data", revision=commit, license="mit", repo_type="dataset")
    assert listing.card["configs"] == [{"config_name": "x"}]
    assert {"README.md", "train.jsonl"} <= set(listing.files)
    assert "task_categories:summarization" in listing.tags
    siblings = HfApi().dataset_info("door/data", files_metadata=True).siblings or []
    assert listing.size == sum(file.size or 0 for file in siblings) > 0
    assert not listing.private and not listing.gated and listing.last_modified
    assert hub.look_dataset("door/data", commit) == listing
    with faulty_hub(endpoint, lambda method, path, before: None) as (address, seen):
        done = client("from hubexpert import hub; print(hub.look_dataset('door/data').source.revision)", address)
        assert done.stdout.strip() == commit, done.stderr
        assert sum(seen.values()) == 1


@pytest.mark.parametrize("name", ["door/none", "no name", "../models/x", "a/b/c", "x" * 200])
def test_a_dataset_that_is_not_there_is_missing(name: str) -> None:
    with pytest.raises(hub.SourceError) as caught:
        hub.look_dataset(name)
    assert caught.value.kind == "missing"


ODD: dict[str, Any] = {
    "no mapping": [1],
    "no commit": {"id": "a/b", "sha": None},
    "other commit": {"id": "a/b", "sha": "main"},
    "card": {"id": "a/b", "sha": "1" * 40, "cardData": "text"},
    "deep": {"id": "a/b", "sha": "1" * 40, "cardData": {"a": [[[[[[]]]]]] * 40_000}},
    "files": {"id": "a/b", "sha": "1" * 40, "siblings": [{"name": 1}]},
    "name": {"id": 7, "sha": "1" * 40},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_words_of_the_hub_are_that_datasets_fault_and_hide_no_other(
    name: str, store: Store, endpoint: str, tmp_path: Path
) -> None:
    repo = f"door/odd-{tmp_path.name}"
    dataset(store, tmp_path, repo)
    script = f"""
from hubexpert import hub
try:
    hub.look_dataset({repo!r})
except hub.SourceError as error:
    print(error.kind)
print([listing.source.repo for listing in hub.search_datasets({repo!r}, (), 5)])
"""

    def plan(method: str, path: str, before: int) -> Fault:
        single = path.startswith(f"/api/datasets/{repo}")
        return Fault(change=lambda said: ODD[name] if single else [ODD[name], *said])

    with faulty_hub(endpoint, plan) as (address, _):
        done = client(script, address)
    assert done.stdout.split("\n")[:2] == ["broken", f"['{repo}']"], done.stderr


def test_a_card_that_the_client_cannot_read_is_read(store: Store, tmp_path: Path) -> None:
    """The client passes a card's keys on as arguments, where these clash."""
    dataset(store, tmp_path, "door/clash", extra="self: 1\nignore_metadata_errors: 2\nlanguage: {a: b}")
    assert hub.look_dataset("door/clash").card["self"] == 1


def test_a_search_finds_names_and_tags_with_the_most_downloaded_first(store: Store, tmp_path: Path) -> None:
    for name, extra in (("seek/Qwyx-one", ""), ("seek/qwyx-two", "task_categories: [translation]"), ("seek/other", "")):
        dataset(store, tmp_path, name, extra=extra)
    for _ in range(2):
        hub.download(hub.look_dataset("seek/qwyx-two").source, ["README.md"])
    found = hub.search_datasets("qwyx", (), 10)
    assert {listing.source.repo for listing in found} == {"seek/Qwyx-one", "seek/qwyx-two"}
    assert found == sorted(found, key=lambda listing: -listing.downloads)
    assert all(listing.size and listing.card["license"] == "mit" for listing in found)
    tagged = hub.search_datasets("qwyx", ("task_categories:translation",), 10)
    assert [listing.source.repo for listing in tagged] == ["seek/qwyx-two"]
    assert len(hub.search_datasets("qwyx", (), 1)) == 1
    assert hub.search_datasets("nothing-of-this-name", (), 5) == []


def parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pd.DataFrame(rows).to_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("train.csv", b"question,answer\nwhy,so\nhow,thus\n", [{"question": "why", "answer": "so"}]),
        ("train.jsonl", b'{"q": [1, null], "t": "' + b"x" * 5000 + b'"}\n', [{"q": [1, None], "t": "x" * 2000}]),
        ("train.parquet", parquet([{"picture": b"\x89PNG", "n": 1.5}]), [{"picture": "<binary>", "n": 1.5}]),
    ],
    ids=["csv", "jsonl", "parquet"],
)  # fmt: skip
def test_the_first_rows_are_plain_and_cut(
    name: str, content: bytes, expected: list[dict[str, Any]], store: Store, tmp_path: Path
) -> None:
    repo = f"rows/{name.replace('.', '-')}"
    dataset(store, tmp_path, repo, files={name: content})
    assert hub.first_rows(hub.look_dataset(repo).source, None, "train", 1) == expected


def test_rows_are_those_of_the_pinned_commit_configuration_and_split(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = "- config_name: two\n  data_files: [{split: test, path: two.jsonl}]"
    extra = f"configs:\n- config_name: one\n  data_files: one.jsonl\n{two}"
    files = {"one.jsonl": b'{"a": 1}\n{"a": 2}\n', "two.jsonl": b'{"a": 3}\n'}
    dataset(store, tmp_path, "rows/many", extra=extra, files=files)
    source = hub.look_dataset("rows/many").source
    dataset(store, tmp_path / "later", "rows/many", extra=extra, files={"one.jsonl": b'{"a": 9}\n'})
    (tmp_path / "rows" / "many").mkdir(parents=True)  # what lies in the current folder is not the dataset
    (tmp_path / "rows" / "many" / "train.jsonl").write_text('{"a": 7}\n')
    monkeypatch.chdir(tmp_path)
    assert hub.first_rows(source, None, None, 5) == [{"a": 1}, {"a": 2}]
    assert hub.first_rows(source, "two", None, 5) == [{"a": 3}]


def test_rows_that_cannot_be_read_are_the_datasets_fault(store: Store, tmp_path: Path) -> None:
    dataset(store, tmp_path, "rows/broken", files={"train.parquet": b"PAR1 no"})
    dataset(store, tmp_path, "rows/code", files={"code.py": b"raise SystemExit\n"})
    for repo in ("rows/broken", "rows/code"):
        with pytest.raises(hub.SourceError, match="could not be read") as caught:
            hub.first_rows(hub.look_dataset(repo).source, None, None, 1)
        assert caught.value.message.isprintable() and len(caught.value.message) < 300


def test_a_file_that_unpacks_to_anything_holds_us_only_so_long(store: Store, tmp_path: Path) -> None:
    bomb = gzip.compress(b'{"a": "' + b"x" * 300_000_000, compresslevel=1)
    dataset(store, tmp_path, "rows/bomb", files={"train.jsonl.gz": bomb})
    source = hub.look_dataset("rows/bomb").source
    begun = time.monotonic()
    with pytest.raises(hub.SourceError, match="not within 2 s"):
        hub.first_rows(source, None, None, 1, seconds=2.0)
    assert time.monotonic() - begun < 20


def test_rows_are_read_also_where_the_address_ends_with_a_slash(store: Store, endpoint: str, tmp_path: Path) -> None:
    """`huggingface_hub` drops the slash; `datasets`, which reads the variable by itself, would look elsewhere."""
    dataset(store, tmp_path, "rows/slash", QUESTIONS)
    script = """
from hubexpert import hub
print(len(hub.first_rows(hub.look_dataset("rows/slash").source, None, None, 2)))
"""
    done = client(script, f"{endpoint}/")
    assert done.stdout.strip() == "2", done.stderr


def test_without_the_library_the_fix_is_named(endpoint: str) -> None:
    script = f"""
import sys
sys.modules["datasets"] = None  # as where it is not installed
from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.records import Source
try:
    hub.first_rows(Source(repo="a/b", revision="{"1" * 40}"), None, None, 1)
except HubExpertError as error:
    print(error.fix, hub.can_read_rows())
"""
    done = client(script, endpoint)
    assert done.stdout.strip() == "pip install 'hubexpert[train]' False", done.stderr
    assert issubclass(hub.SourceError, HubExpertError)


def test_reading_rows_imports_no_torch_here(store: Store, endpoint: str, tmp_path: Path) -> None:
    dataset(store, tmp_path, "rows/light", QUESTIONS)
    script = """
import json, sys
from hubexpert import hub
rows = hub.first_rows(hub.look_dataset("rows/light").source, None, None, 2)
print(json.dumps([rows, [name for name in ("torch", "datasets", "pandas") if name in sys.modules]]))
"""
    done = client(script, endpoint)
    assert json.loads(done.stdout) == [QUESTIONS[:2], []], done.stderr
