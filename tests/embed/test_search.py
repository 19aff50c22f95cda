"""The closest rows: exactly those of a slow reference; through an index nearly all of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hubexpert.embed import exact, index, search
from hubexpert.embed.exact import Bools, scan
from hubexpert.embed.index import index_of
from hubexpert.embed.search import closest
from tests.halves import chosen

Floats = NDArray[np.float32]
Found = list[tuple[int, int, float]]


def slow(parts: Sequence[Floats], queries: Floats, count: int, allowed: Sequence[Bools] | None) -> Found:
    """Every allowed row with its largest cosine, sorted by that and by place."""
    found = [
        (-max(float(np.dot(row, query)) for query in queries), number, place)
        for number, part in enumerate(parts)
        for place, row in enumerate(part)
        if allowed is None or allowed[number][place]
    ]
    return [(number, place, -closeness) for closeness, number, place in sorted(found)[:count]]


def told(places: exact.Places) -> Found:
    return list(zip(places.part.tolist(), places.row.tolist(), places.closeness.tolist(), strict=True))


def unit(rows: int, dimensions: int, seed: int, centres: int = 200) -> Floats:
    """Vectors of unit length around some centres."""
    drawn = np.random.default_rng(seed)
    middles = drawn.standard_normal((centres, dimensions)) / dimensions**0.5
    vectors = middles[drawn.integers(centres, size=rows)]
    vectors = vectors + 0.4 * drawn.standard_normal((rows, dimensions)) / dimensions**0.5
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@settings(deadline=None)
@given(
    parts=st.lists(chosen, min_size=1, max_size=4),
    queries=chosen.filter(len),
    count=st.integers(1, 60),
    masked=st.booleans(),
    block=st.integers(1, 16),
    data=st.data(),
)
def test_the_closest_rows_are_those_of_the_slow_reference_with_their_ties(
    parts: list[Floats], queries: Floats, count: int, masked: bool, block: int, data: st.DataObject
) -> None:
    """Over any parts, queries and masks, however the rows are cut into blocks, equally close rows by place."""
    allowed = None
    if masked:
        allowed = [np.array(data.draw(st.lists(st.booleans(), min_size=len(p), max_size=len(p))), bool) for p in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "BLOCK", block)
        assert told(closest(parts, queries, count, allowed=allowed)) == slow(parts, queries, count, allowed)


def test_equal_rows_tie_wherever_they_stand() -> None:
    """A row that stands in many blocks and parts is equally close each time, whatever multiplies the matrices."""
    row = unit(1, 384, seed=1)
    part = np.concatenate([unit(40_000, 384, seed=2), np.repeat(row, 7, axis=0)])
    part[[3, 17_000, 33_333]] = row
    found = closest([part, row], unit(5, 384, seed=3), 40_008)
    same = [(0, 3), (0, 17_000), (0, 33_333), *((0, 40_000 + more) for more in range(7)), (1, 0)]
    copies = [place for place in told(found) if place[:2] in same]
    assert [place[:2] for place in copies] == same
    assert len({closeness for *_, closeness in copies}) == 1
    assert len(set(told(found))) == 40_008


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> "np.memmap[Any, Any]":
    """40,000 vectors in a file, as `embedded` returns them."""
    file = tmp_path_factory.mktemp("vectors") / "part.f32"
    unit(40_000, 64, seed=4).tofile(file)
    return np.memmap(file, np.float32, mode="r", shape=(40_000, 64))


def test_an_index_finds_nearly_all_of_the_closest_rows(
    stored: "np.memmap[Any, Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least 95 of 100, in order and with their exact closeness, among all rows or the allowed ones."""
    built = index_of(stored, quiet=True)
    monkeypatch.setattr(index, "scan", None)  # it is not needed
    for few in (None, np.arange(40_000) % 3 > 0):
        for queries in (stored[[7]], stored[[20_000, 77, 31_234, 5]]):
            wanted = told(scan(stored, 2, queries, 100, few))
            found = told(index.find(built, stored, 2, queries, 100, few))
            assert len(set(found) & set(wanted)) >= 95
            assert found == sorted(found, key=lambda place: (-place[2], place[1]))
            assert few is None or all(few[row] for _, row, _ in found)


def test_what_an_index_cannot_find_is_found_by_comparing_all_rows(stored: "np.memmap[Any, Any]") -> None:
    """Queries unlike any row, and more rows than the lists hold: exactly what a scan finds."""
    built = index_of(stored, quiet=True)
    for queries, count in ((-stored[:40:10], 100), (stored[:1], 30_000)):
        found = index.find(built, stored, 0, queries, count, None)
        assert told(found) == told(scan(stored, 0, queries, count, None))


def test_the_index_lies_beside_the_vectors_and_is_built_once(stored: "np.memmap[Any, Any]", tmp_path: Path) -> None:
    """It is read again as it was; one that counts other rows is built anew."""
    file = Path(str(stored.filename)).with_suffix(".ivf")
    index_of(stored, quiet=True)
    written = file.stat().st_mtime_ns
    assert index_of(stored, quiet=True).ntotal == 40_000
    assert file.stat().st_mtime_ns == written
    (tmp_path / "few.f32").write_bytes(stored[:3000].tobytes())
    (tmp_path / "few.ivf").write_bytes(file.read_bytes())
    few = np.memmap(tmp_path / "few.f32", np.float32, mode="r", shape=(3000, 64))
    assert index_of(few, quiet=True).ntotal == 3000


def test_only_large_parts_are_searched_through_an_index(
    stored: "np.memmap[Any, Any]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part in a file gets one where more rows than the limit are allowed; all others are compared row by row."""
    (tmp_path / "a.f32").write_bytes(stored[:5000].tobytes())
    part = np.memmap(tmp_path / "a.f32", np.float32, mode="r", shape=(5000, 64))
    monkeypatch.setattr(search, "EXACT_ROWS", 4000)
    few = np.arange(5000) < 4000
    closest([part, np.array(part)], stored[:2], 50, allowed=[few, few])
    closest([np.array(part)], stored[:2], 50)
    assert not list(tmp_path.glob("*.ivf"))
    closest([part], stored[:2], 50, quiet=True)
    assert [file.name for file in tmp_path.glob("*.ivf")] == ["a.ivf"]
