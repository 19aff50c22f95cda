"""Rows of files on this machine."""

import gzip
import json
from pathlib import Path

import pytest

from hubexpert.errors import HubExpertError
from hubexpert.recipe import is_local
from hubexpert.records import ColumnMap, Example
from hubexpert.rows import local_dataset, read_rows

PACKED = gzip.compress(b"".join(json.dumps({"input": f"q {n * n}", "output": "a"}).encode() + b"\n" for n in range(99)))


def write(path: Path, *rows: object) -> Path:
    """A file of JSON lines, packed if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("./rows", True), ("~/rows", True), ("/rows.jsonl", True), ("rows.jsonl", True), ("a/rows.jsonl.gz", True),
        ("a/rows", False), ("squad", False), ("a/b@main", False),
    ],
)  # fmt: skip
def test_files_are_told_from_names_on_the_hub(name: str, local: bool) -> None:
    assert is_local(name) is local


def test_a_folder_is_read_in_order_of_name_and_spread_over_all_files(tmp_path: Path) -> None:
    write(tmp_path / "data/b.jsonl.gz", *({"input": f"{n}", "output": "x"} for n in range(50, 100)))
    write(tmp_path / "data/a.jsonl", *({"input": f"{n}", "output": "x"} for n in range(50)))
    (tmp_path / "data" / "notes.txt").write_text("no rows")
    found = read_rows(local_dataset("./data", tmp_path), 10, tmp_path / "rows", beside=tmp_path)
    assert [row.example.input for row in found if row.example] == [str(row.row) for row in found]
    assert found.count == 10
    assert max(row.row for row in found) >= 80
    assert (found.total, found.config, found.split) == (100, "default", "train")


@pytest.mark.parametrize(
    ("row", "example"),
    [
        (
            {"instruction": "i", "input": "q", "output": "a", "choices": ["a", "b"], "rationale": "r"},
            Example(instruction="i", input="q", output="a", choices=("a", "b"), rationale="r"),
        ),
        ({"input": "q", "output": "a"}, Example(input="q", output="a")),
        ({"input": "q", "output": 7}, Example(input="q", output="7")),
        ({"input": "q", "output": "c", "choices": ["a", "b"]}, None),
        ({"prompt": "q", "completion": "a"}, Example(input="q", output="a")),
        ({"question": "q", "answer": "a"}, Example(input="q", output="a")),
        (
            {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"},
                          {"role": "assistant", "content": "a"}]},
            Example(instruction="s", input="q", output="a"),
        ),
        ({"foo": "q", "bar": "a"}, None),
    ],
)  # fmt: skip
def test_columns_are_guessed_and_our_own_form_is_known(
    row: dict[str, object], example: Example | None, tmp_path: Path
) -> None:
    write(tmp_path / "one.jsonl", row)
    (found,) = read_rows(local_dataset("one.jsonl", tmp_path), 5, tmp_path / "rows", beside=tmp_path)
    assert found.example == example


def test_the_recipe_says_which_columns_where_the_guess_is_wrong(tmp_path: Path) -> None:
    write(tmp_path / "one.jsonl", {"foo": {"bar": "q"}, "baz": "a"})
    dataset = local_dataset("one.jsonl", tmp_path, ColumnMap(input=("foo.bar",), output="baz"))
    (found,) = read_rows(dataset, 5, tmp_path / "rows", beside=tmp_path)
    assert found.example == Example(input="q", output="a") and found.values == {"foo.bar": "q", "baz": "a"}


def test_other_contents_are_another_source(tmp_path: Path) -> None:
    file = write(tmp_path / "one.jsonl", {"input": "q", "output": "a"})
    before = local_dataset("one.jsonl", tmp_path).source
    kept = read_rows(local_dataset("one.jsonl", tmp_path), 5, tmp_path / "rows", beside=tmp_path)
    write(file, {"input": "q", "output": "b"})
    after = local_dataset("one.jsonl", tmp_path)
    assert before and after.source and before.revision != after.source.revision
    assert (after.source.repo, after.source.repo_type) == ("./one.jsonl", "dataset")
    now = read_rows(after, 5, tmp_path / "rows", beside=tmp_path)
    assert [row.values["output"] for file_ in (kept, now) for row in file_] == ["a", "b"]


HOSTILE = {
    "no JSON": "this is {no JSON",
    "no mapping": "[1, 2]",
    "a bomb of brackets": '{"input": ' + "[" * 100_000,
    "a bomb that is closed": '{"input": "q", "output": ' + "[" * 500 + "]" * 500 + "}",
    "a huge line": json.dumps({"input": "q", "output": "x" * 9_000_000}),
    "many keys": json.dumps({f"k{n}": n for n in range(100_000)}),
    "control characters": json.dumps({"input": "".join(map(chr, range(32))) + "\x7f\u202e", "output": "\x00"}),
    "half a character": '{"input": "\\ud800", "output": "\\udfff"}',
    "numbers beyond all bounds": '{"input": 1e999, "output": ' + "9" * 4000 + "}",
    "no number": '{"input": NaN, "output": -Infinity}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_is_one_row_and_hides_no_other(name: str, tmp_path: Path) -> None:
    good = {"input": "q", "output": "a"}
    write(tmp_path / "one.jsonl", good, HOSTILE[name], "", good)
    found = read_rows(local_dataset("one.jsonl", tmp_path), 5, tmp_path / "rows", beside=tmp_path)
    rows = list(found)
    assert [row.row for row in rows] == [0, 1, 2] and found.at([2, 0]) == [rows[2], rows[0]]
    assert rows[0].example == rows[2].example == Example(input="q", output="a")
    assert sum(len(text) for text in rows[1].values.values()) <= 100_000
    assert "\n" not in found.path.read_bytes().split(b"\n")[1].decode()
    if name != "control characters":
        assert rows[1].example is None or name == "half a character"


def test_every_text_of_a_row_is_among_its_values(tmp_path: Path) -> None:
    """Also of lists in lists, and of what only some of a list have: nothing hides from the guard."""
    write(tmp_path / "one.jsonl", {"a": [[{"b": "1"}, "2"], {"b": 3, "c": {"d": "4"}}, None, ["5", True]], "e": 1.5})
    (found,) = read_rows(local_dataset("one.jsonl", tmp_path), 5, tmp_path / "rows", beside=tmp_path)
    assert found.values == {"a.b": "1\n3", "a": "2\n5\ntrue", "a.c.d": "4", "e": "1.5"}


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("./none", "none.jsonl", "./empty"):
        with pytest.raises(HubExpertError, match="no rows") as caught:
            local_dataset(name, tmp_path)
        assert "data.datasets" in caught.value.fix


@pytest.mark.parametrize("content", [b'{"input": "q"}\n', PACKED[:-20], PACKED[:20] + b"\xff" * 20 + PACKED[40:]])
def test_a_file_that_is_not_packed_as_its_name_says_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "one.jsonl.gz").write_bytes(content)
    with pytest.raises(HubExpertError, match=r"one\.jsonl\.gz"):
        read_rows(local_dataset("one.jsonl.gz", tmp_path), 5, tmp_path / "rows", beside=tmp_path)
