"""Texts of files and datasets."""

import gzip
import json
from pathlib import Path

import pytest

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.knowledge import pinned
from hubexpert.knowledge.sources import files_of
from hubexpert.knowledge.texts import Text, texts
from hubexpert.localhub import Store
from hubexpert.rows.local import LINE
from tests.discover.data import dataset
from tests.rows.test_local import write


def read(name: str, beside: Path, column: str = "text", begin: int = 0) -> list[Text]:
    (source,) = pinned([name], beside)
    return list(texts(source, column, beside, begin))


def test_a_folder_gives_its_rows_and_plain_files_in_order_of_their_paths(tmp_path: Path) -> None:
    write(tmp_path / "base/a.jsonl", {"text": "one", "title": "T"}, {"text": "two"})
    (tmp_path / "base/b").mkdir()
    (tmp_path / "base/b/c.txt").write_text("\ufeffthree\n\nwhole")
    (tmp_path / "base/d.md.gz").write_bytes(gzip.compress(b"# vier"))
    write(tmp_path / "base/e.jsonl.gz", {"text": "five"})
    (tmp_path / "base/f.csv").write_text("no text of ours")
    (tmp_path / "base/.hidden.txt").write_text("neither")
    expected = [Text(0, "T", "one"), Text(1, "", "two"), Text(2, "", "three\n\nwhole"), Text(3, "", "# vier")]
    assert read("./base", tmp_path) == [*expected, Text(4, "", "five")]
    assert read("./base", tmp_path, begin=3) == [Text(3, "", "# vier"), Text(4, "", "five")]
    assert read("base/b/c.txt", tmp_path) == [Text(0, "", "three\n\nwhole")]


def test_sources_are_pinned_by_their_contents_each_once(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", {"text": "one"})
    one, *others = pinned(["a.jsonl", "./a.jsonl"], tmp_path)
    assert one.repo == "./a.jsonl" and not others
    write(tmp_path / "a.jsonl", {"text": "two"})
    assert pinned(["a.jsonl"], tmp_path)[0].revision != one.revision
    with pytest.raises(HubExpertError, match="no texts") as caught:
        pinned(["./none"], tmp_path)
    assert "data.knowledge.sources" in caught.value.fix and files_of("./a.jsonl", tmp_path)


def test_nested_columns_lists_and_numbers_are_texts(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", {"about": {"facts": ["one", "two"]}, "n": 7, "x.y": "dotted"})
    for column, text in (("about.facts", "one\ntwo"), ("n", "7"), ("x.y", "dotted")):
        assert read("a.jsonl", tmp_path, column) == [Text(0, "", text)]


ODD = ["no json", "[1]", "{", '"text"', "null", "[" * 100_000, '{"text": "' + "x" * LINE + '"}', '{"text": null}', "{}"]


def test_odd_lines_are_rows_without_a_text(tmp_path: Path) -> None:
    """They count, so that a row keeps its number whatever is before it."""
    write(tmp_path / "a.jsonl", {"text": "good"}, *ODD, {"text": "\ud800 \x00", "title": {"deep": [[[[[[[[]]]]]]]]}})
    found = read("a.jsonl", tmp_path)
    assert [text.text for text in found[:-1]] == ["good", *([""] * len(ODD))]
    assert found[-1].row == len(ODD) + 1 and found[-1].title == ""


def test_a_wrong_column_is_told_with_the_columns_that_are_there(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", {"passage": "one", "id\u202e": 1}, {"body": {"de": "zwei"}})
    with pytest.raises(HubExpertError, match="no text in a column `text`") as caught:
        read("a.jsonl", tmp_path)
    assert caught.value.fix == "set `data.knowledge.column` to one of its columns: passage, id\ufffd, body"


def test_a_wrong_column_is_told_long_before_the_end(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *[{"passage": "one"}] * 1100, {"text": "late"})
    with pytest.raises(HubExpertError, match="no text in a column"):
        read("a.jsonl", tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_file_without_rows_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(HubExpertError, match="holds no rows"):
        read("a.jsonl", tmp_path)


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(HubExpertError, match="cannot be read"):
        read("a.jsonl.gz", tmp_path)


def test_a_dataset_is_read_whole_at_its_commit(store: Store, tmp_path: Path) -> None:
    """All 700 rows, in batches; not what was committed later; from the middle, too."""
    rows = [{"text": f"fact {n}", "title": f"about {n}", "vector": [0.5] * 9} for n in range(700)]
    commit = dataset(store, tmp_path, "know/facts", rows)
    (source,) = pinned(["know/facts"], tmp_path)
    assert (source.repo, source.revision, source.license) == ("know/facts", commit, "mit")
    later = dataset(store, tmp_path / "later", "know/facts", [{"text": "other"}])
    assert [each.revision for each in pinned(["know/facts", f"know/facts@{commit}"], tmp_path)] == [later, commit]
    found = list(texts(source, "text", tmp_path))
    assert found == [Text(n, f"about {n}", f"fact {n}") for n in range(700)]
    assert list(texts(source, "text", tmp_path, 640)) == found[640:]


def test_a_dataset_without_the_column_names_those_it_has(store: Store, tmp_path: Path) -> None:
    dataset(store, tmp_path, "know/wrong", [{"passage": "one", "source": "two"}])
    with pytest.raises(HubExpertError, match="no text in a column") as caught:
        read("know/wrong", tmp_path)
    assert caught.value.fix.endswith(": passage, source")


def test_a_dataset_that_is_missing_or_broken_is_told(store: Store, tmp_path: Path) -> None:
    dataset(store, tmp_path, "know/broken", files={"train.parquet": b"PAR1 no"})
    with pytest.raises(hub.SourceError, match="could not be read"):
        read("know/broken", tmp_path)
    with pytest.raises(hub.SourceError):
        pinned(["know/nowhere"], tmp_path)


def test_a_reader_that_stays_silent_is_given_up_and_ended(store: Store, tmp_path: Path) -> None:
    bomb = gzip.compress(b'{"text": "' + b"x" * 300_000_000, compresslevel=1)
    dataset(store, tmp_path, "know/bomb", files={"train.jsonl.gz": bomb})
    (source,) = pinned(["know/bomb"], tmp_path)
    with pytest.raises(hub.SourceError, match="no row within 2 s"), hub.every_row(source, ["text"], silence=2.0):
        pass


def test_a_reader_ends_when_nobody_takes_more(store: Store, tmp_path: Path) -> None:
    dataset(store, tmp_path, "know/left", [{"text": json.dumps(n) * 100} for n in range(2000)])
    (source,) = pinned(["know/left"], tmp_path)
    reading = texts(source, "text", tmp_path)
    assert next(reading).row == 0
    reading.close()  # type: ignore[attr-defined]  # it is a generator; a reader left running would hang here
