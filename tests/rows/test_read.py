"""Rows of datasets, read over HTTP from a real Hub by the real client: spread, whole, typed, kept."""

import gzip
import io
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from hubexpert import hub
from hubexpert.discover.data.verdict import Find, judged
from hubexpert.localhub import Store
from hubexpert.recipe import DiscoverSection
from hubexpert.records import ColumnMap, DatasetCandidate, Example
from hubexpert.rows import RowFile, read_rows
from tests.discover.data import dataset


def candidate(repo: str, columns: ColumnMap | None = None) -> DatasetCandidate:
    """The dataset as discovery judges it, before any row of it is read."""
    section = DiscoverSection(columns={repo: columns} if columns else {})
    found = judged(Find(repo, ("id",)), hub.look_dataset(repo), section)
    assert found.verdict == "accepted"
    return found


def numbers(found: RowFile) -> list[int]:
    return [row.row for row in found]


def packed(rows: Sequence[Mapping[str, Any]], features: Features) -> bytes:
    """A parquet file that carries its features, as `push_to_hub` writes it."""
    file = io.BytesIO()
    Dataset.from_list([dict(row) for row in rows], features=features).to_parquet(file)
    return file.getvalue()


def test_rows_are_spread_evenly_over_the_whole_split(store: Store, tmp_path: Path) -> None:
    """Whatever its card says of its size: of 1,000 rows 60 lie 16 or 17 apart, give or take the step of 16."""
    rows = [{"question": f"question {n}", "answer": f"answer {n}"} for n in range(1000)]
    extra = "dataset_info:\n  splits: [{name: train, num_examples: 9000000}]"
    dataset(store, tmp_path, "spread/even", rows, extra=extra)
    found = read_rows(candidate("spread/even"), 60, tmp_path / "rows")
    assert (found.count, found.total, len(found)) == (60, 1000, 60)
    gaps = [after - before for before, after in zip([-1, *numbers(found)], [*numbers(found), 1000], strict=True)]
    assert numbers(found)[0] == 0 and max(gaps[1:]) <= 32 and min(gaps[1:]) >= 8
    assert all(row.values["question"] == f"question {row.row}" for row in found)
    assert all(row.example == Example(input=f"question {row.row}", output=f"answer {row.row}") for row in found)


def test_they_are_those_of_the_pinned_commit_and_read_once(store: Store, tmp_path: Path) -> None:
    dataset(store, tmp_path, "spread/pinned", [{"question": "old", "answer": "yes"}])
    before = candidate("spread/pinned")
    dataset(store, tmp_path / "later", "spread/pinned", [{"question": "new", "answer": "no"}])
    found = read_rows(before, 5, tmp_path / "rows")
    assert [row.values["question"] for row in found] == ["old"]
    gone = before.model_copy(update={"repo": "spread/nowhere"})  # the name is not asked for again
    assert read_rows(gone, 5, tmp_path / "rows") == found
    other = read_rows(candidate("spread/pinned"), 5, tmp_path / "rows")
    assert other.path != found.path and [row.values["question"] for row in other] == ["new"]


def test_configuration_and_split_are_those_of_the_map(store: Store, tmp_path: Path) -> None:
    two = "- config_name: two\n  data_files: [{split: test, path: two.jsonl}]"
    files = {"one.jsonl": b'{"q": "1", "a": "x"}\n', "two.jsonl": b'{"q": "2", "a": "y"}\n'}
    extra = f"configs:\n- config_name: one\n  data_files: one.jsonl\n{two}"
    dataset(store, tmp_path, "spread/two", files=files, extra=extra)
    columns = ColumnMap(config="two", split="test", input=("q",), output="a")
    found = read_rows(candidate("spread/two", columns), 5, tmp_path / "rows")
    assert (found.config, found.split) == ("two", "test")
    assert [(row.config, row.split, row.example) for row in found] == [("two", "test", Example(input="2", output="y"))]


def test_labels_are_called_by_their_names_and_nested_columns_by_their_paths(store: Store, tmp_path: Path) -> None:
    features = Features(
        {
            "text": Value("string"),
            "label": ClassLabel(names=["ham", "spam"]),
            "about": {"topics": List(ClassLabel(names=["a", "b"])), "turns": List({"who": Value("string")})},
            "picture": Value("binary"),
        }
    )
    row = {"text": " Win now ", "label": 1, "about": {"topics": [1, 0], "turns": [{"who": "me"}, {"who": "you"}]}}
    file = packed([{**row, "picture": b"\x89PNG"}, {**row, "label": -1, "picture": None}], features)
    dataset(store, tmp_path, "spread/typed", files={"train-00000-of-00001.parquet": file})
    one, other = read_rows(candidate("spread/typed"), 5, tmp_path / "rows")
    assert one.values == {"text": "Win now", "label": "spam", "about.topics": "b\na", "about.turns.who": "me\nyou"}
    assert one.example == Example(input="Win now", output="spam")
    assert "label" not in other.values and other.example is None


def test_values_of_mixed_types_are_read(store: Store, tmp_path: Path) -> None:
    """`datasets` keeps a column of mixed types as JSON; here it is what stood in the file."""
    rows: list[dict[str, Any]] = [
        {"question": "q", "answer": "a", "more": {"x": 1}},
        {"question": "r", "answer": "b", "more": "text"},
    ]
    dataset(store, tmp_path, "spread/mixed", rows)
    one, other = read_rows(candidate("spread/mixed"), 5, tmp_path / "rows")
    assert one.values["more.x"] == "1" and other.values["more"] == "text"


def test_an_example_is_the_whole_text_and_not_what_people_are_shown(store: Store, tmp_path: Path) -> None:
    long = "Two lines:\n\t<b>*one*</b> & \u202eother\x1b[2J " + "word " * 1500 + "end"
    rows = [{"question": long, "answer": "| x |\n| y |"}]
    dataset(store, tmp_path, "spread/whole", rows)
    (row,) = read_rows(candidate("spread/whole"), 5, tmp_path / "rows")
    assert row.example == Example(input=long, output="| x |\n| y |")


def test_a_choice_is_told_by_its_text_and_has_to_be_one(store: Store, tmp_path: Path) -> None:
    asked = {"question": "Which?", "choices": {"text": ["red", "blue"], "label": ["A", "B"]}}
    rows: list[dict[str, Any]] = [{**asked, "answerKey": "B"}, {**asked, "answerKey": "Z"}]
    dataset(store, tmp_path, "spread/choices", rows)
    one, other = read_rows(candidate("spread/choices"), 5, tmp_path / "rows")
    assert one.example == Example(input="Which?", output="blue", choices=("red", "blue"))
    assert other.example is None and other.values["answerKey"] == "Z"


def test_rows_without_an_example_are_kept(store: Store, tmp_path: Path) -> None:
    rows = [{"question": q, "answer": a} for q, a in (("q", None), (None, "a"), ("q", "a"))]
    dataset(store, tmp_path, "spread/gaps", rows)
    found = list(read_rows(candidate("spread/gaps"), 5, tmp_path / "rows"))
    assert [row.example is not None for row in found] == [False, False, True]
    assert [row.values for row in found[:2]] == [{"question": "q"}, {"answer": "a"}]


def test_what_had_to_be_cut_is_no_example(store: Store, tmp_path: Path) -> None:
    """Half an answer is a wrong one; a column that no field is made of may be as long as it likes."""
    huge = "x" * 300_000
    deep: dict[str, Any] = {"a": {"b": {"c": {"d": {"e": {"f": {"g": "h"}}}}}}}
    rows: list[dict[str, Any]] = [
        {"question": "q", "answer": huge, "other": "", "deep": deep},
        {"question": "q", "answer": "a", "other": huge, "deep": deep},
    ]
    dataset(store, tmp_path, "spread/huge", rows)
    one, other = read_rows(candidate("spread/huge"), 5, tmp_path / "rows")
    assert one.example is None and other.example == Example(input="q", output="a")
    assert sum(map(len, one.values.values())) < 100_000 and sum(map(len, other.values.values())) < 100_000


def test_a_file_that_unpacks_to_anything_is_that_datasets_fault_in_time(store: Store, tmp_path: Path) -> None:
    bomb = gzip.compress(b'{"a": "' + b"x" * 300_000_000, compresslevel=1)
    dataset(store, tmp_path, "spread/bomb", files={"train.jsonl.gz": bomb})
    columns = ColumnMap(input=("a",), output="a")
    begun = time.monotonic()
    with pytest.raises(hub.SourceError, match="could not be read"):
        read_rows(candidate("spread/bomb", columns), 5, tmp_path / "rows", seconds=1.0)
    assert time.monotonic() - begun < 60
    assert not list((tmp_path / "rows").glob("*"))


def test_when_time_is_up_what_was_read_is_enough(store: Store, tmp_path: Path) -> None:
    """They spread over the part that was read, and nobody claims to know how many there are."""
    lines = b"".join(json.dumps({"question": f"q {n}", "answer": "a"}).encode() + b"\n" for n in range(5000))
    dataset(store, tmp_path, "spread/slow", files={"train.jsonl": lines})
    found = read_rows(candidate("spread/slow"), 10, tmp_path / "rows", seconds=0.0)
    assert found.total is None and found.count == 10
    assert max(numbers(found)) < 1000


def test_a_name_on_the_hub_is_no_file_here(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a stranger calls a dataset, it never stands for a file beside the recipe."""
    dataset(store, tmp_path, "spread/own.jsonl", [{"question": "theirs", "answer": "a"}])
    (tmp_path / "spread").mkdir()
    (tmp_path / "spread" / "own.jsonl").write_text('{"question": "ours", "answer": "a"}')
    monkeypatch.chdir(tmp_path)
    (row,) = read_rows(candidate("spread/own.jsonl"), 5, tmp_path / "rows", beside=tmp_path)
    assert row.values["question"] == "theirs"


def test_a_dataset_that_was_not_found_has_no_rows(tmp_path: Path) -> None:
    lost = DatasetCandidate(repo="spread/lost", verdict="missing", found_by=("cited",))
    with pytest.raises(hub.SourceError, match="not to be had"):
        read_rows(lost, 5, tmp_path)
