"""Rows on disk."""

from pathlib import Path

import pytest

from hubexpert.records import Example, Row, Source
from hubexpert.rows.files import open_rows, write_rows

SOURCE = Source(repo="a/b", revision="1" * 40, license="mit", repo_type="dataset")
ROWS = [
    Row(source=SOURCE, config="c", split="s", row=7 * n, values={"q": f"ünï\n\u2028 {n}"}, example=example)
    for n, example in enumerate([None, Example(input="q", output="a"), None, Example(input="r", output="b")])
]


def test_rows_come_back_as_they_were_streamed_or_fetched(tmp_path: Path) -> None:
    written = write_rows(tmp_path / "x", SOURCE, "c", "s", 99, iter(ROWS))
    found = open_rows(tmp_path / "x")
    assert found is not None and found == written and list(found) == ROWS == list(found)
    assert (found.source, found.config, found.split, found.count, found.total) == (SOURCE, "c", "s", 4, 99)
    assert found.at([3, 0, 3]) == [ROWS[3], ROWS[0], ROWS[3]] and found.at([]) == []
    for place in (4, -1):
        with pytest.raises(IndexError):
            found.at([place])


def test_no_rows_are_rows_too(tmp_path: Path) -> None:
    assert list(write_rows(tmp_path / "x", SOURCE, "c", "s", 0, [])) == []


def test_what_was_not_finished_is_not_there(tmp_path: Path) -> None:
    """A stream that breaks leaves no folder of that name, and the next try starts anew."""

    def broken() -> object:
        yield ROWS[0]
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_rows(tmp_path / "x", SOURCE, "c", "s", None, broken())  # type: ignore[arg-type]
    assert open_rows(tmp_path / "x") is None and not (tmp_path / "x").exists()
    assert list(write_rows(tmp_path / "x", SOURCE, "c", "s", None, ROWS)) == ROWS
    assert list(write_rows(tmp_path / "x", SOURCE, "c", "s", None, ROWS[:1])) == ROWS[:1]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
