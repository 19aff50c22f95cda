"""What cited datasets hold of the examples, and their rows: from a folder, from a Hub."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.experts.holdings import MOST, Holding, dataset_rows, holdings
from hubexpert.localhub import Store
from hubexpert.records import ColumnMap, DatasetCandidate, Example
from tests.discover.data import dataset

SHOTS = [
    Example(input="how many of the ab did the old miller sell to the abbot", output="7"),
    Example(input="what has the young smith made of cd for the queen of the north", output="7"),
]
TEST = [
    Example(input=f"who of the {word} came first to the top of the hill that day", output="me") for word in ("ef", "gh")
]


def cited(repo: str, count: int, verdict: str = "accepted") -> DatasetCandidate:
    by = tuple(f"me/adapter-{number}" for number in range(count))
    return DatasetCandidate(repo=repo, verdict=verdict, found_by=("cited",), cited_by=by)


def test_shots_and_held_out_examples_are_counted_apart() -> None:
    """Whole inputs, of each dataset, with the adapters that cite it; a piece is none."""
    rows = [[SHOTS[0].input], [f"Q: {TEST[0].input}?", "A: me"], [TEST[1].input.rsplit(" ", 1)[0]], ["other"]]
    found = holdings([cited("a/mix", 2)], SHOTS, TEST, lambda _: rows)
    by = ("me/adapter-0", "me/adapter-1")
    assert found == (Holding("a/mix", by, None, rows=4, shots=1, test=1),)


def test_the_most_cited_that_can_be_read_are_read() -> None:
    """Those that a search found, and those that discovery could not open, are not asked for rows."""
    asked: list[str] = []

    def rows_of(dataset: DatasetCandidate) -> list[list[str]]:
        asked.append(dataset.repo)
        return []

    known = [cited(f"a/{number}", number) for number in range(9)]
    refused = [cited("a/gated", 20, "gated"), cited("a/large", 20, "too-large")]
    found = holdings([*known, *refused, cited("a/licence", 30, "license-unknown")], SHOTS, TEST, rows_of)
    assert asked == [holding.dataset for holding in found] == ["a/licence", "a/8", "a/7", "a/6", "a/5"]
    assert len(asked) == MOST


def test_a_dataset_that_cannot_be_read_is_told_and_the_rest_goes_on() -> None:
    """One fault is that dataset's; where no rows can be read at all the user is told what to do."""

    def rows_of(dataset: DatasetCandidate) -> Iterator[list[str]]:
        yield [SHOTS[0].input]
        if dataset.repo == "a/broken":
            raise hub.SourceError("It broke.", fix="leave it out", kind="broken")
        if dataset.repo == "a/nothing":
            raise HubExpertError("There is no library.", fix="install it")

    broken, whole = holdings([cited("a/broken", 2), cited("a/whole", 1)], SHOTS, TEST, rows_of)
    assert (broken.unread, broken.shots) == ("It broke.", 0)
    assert (whole.unread, whole.shots) == (None, 1)
    with pytest.raises(HubExpertError, match="no library"):
        holdings([cited("a/nothing", 1)], SHOTS, TEST, rows_of)


def test_the_rows_of_a_folder_are_the_texts_of_its_lines(tmp_path: Path) -> None:
    """Nested texts are found; a line that is no JSON is a text; others and numbers are left out."""
    (tmp_path / "b.jsonl").write_text("no json\n" + "[" * 100_000 + "\n")
    (tmp_path / "a.jsonl").write_text(json.dumps({"n": 1, "turns": [{"content": "hi"}, {"content": "ho"}]}) + "\n")
    (tmp_path / "other.txt").write_text("nothing")
    folder = DatasetCandidate(repo=str(tmp_path), verdict="accepted", found_by=("id",))
    rows = list(dataset_rows(folder, 10))
    assert rows[:2] == [("hi", "ho"), ("no json\n",)] and rows[2][0].startswith("[[[")
    assert list(dataset_rows(folder, 1)) == rows[:1]


def candidate(repo: str, mapping: ColumnMap | None = None) -> DatasetCandidate:
    source = hub.look_dataset(repo).source
    return DatasetCandidate(repo=repo, source=source, verdict="accepted", found_by=("cited",), mapping=mapping)


def test_the_rows_of_a_dataset_are_read_by_the_thousand(store: Store, tmp_path: Path) -> None:
    """From the Hub, at the pinned commit; the split is the one that its mapping names."""
    rows = b"".join(b'{"text": "row %d", "label": %d}\n' % (i, i) for i in range(1500))
    dataset(store, tmp_path, "overlap/many", files={"train.jsonl": rows, "test.jsonl": b'{"text": "held out"}\n'})
    assert list(dataset_rows(candidate("overlap/many"), 1200)) == [(f"row {i}",) for i in range(1200)]
    mapping = ColumnMap(split="test", input=("text",), output="label")
    assert list(dataset_rows(candidate("overlap/many", mapping), 1200)) == [("held out",)]


def test_long_rows_are_read_until_there_are_enough(store: Store, tmp_path: Path) -> None:
    """A file of a hundred kilobytes unpacks to 100 MB of rows; what comes back is bounded."""
    line = json.dumps({"texts": ["x" * 2000] * 50}).encode() + b"\n"
    dataset(store, tmp_path, "overlap/long", files={"train.jsonl.gz": gzip.compress(line * 1000)})
    rows = list(dataset_rows(candidate("overlap/long"), 1000))
    assert 0 < len(rows) < 1000
    assert sum(len(text) for row in rows for text in row) < 1 << 25
