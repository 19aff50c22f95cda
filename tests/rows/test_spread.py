"""How rows are kept from a stream of unknown length, and what is left of a row."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hubexpert.hub.streaming import LEARNT, SHOWN, Bounds, Spread, cut

TINY = Bounds(text=5, items=3, values=12, characters=20, binary=None)


def spread(wanted: int, lengths: list[int], room: int) -> tuple[list[int], int]:
    """The rows that are kept of a stream, the line of each of one of these lengths, and the last step."""
    kept = Spread(wanted, room)
    for row, length in enumerate(lengths):
        if row % kept.step == 0:
            kept.add(row, f"{row:0{length}d}")
    return [int(line) for line in kept.kept()], kept.step


@given(st.integers(1, 20), st.integers(0, 400))
def test_a_stream_is_kept_whole_or_evenly(wanted: int, length: int) -> None:
    """All of a short one; of a long one as many as wanted, each one or two steps after the one before."""
    rows, step = spread(wanted, [1] * length, 1 << 20)
    assert len(rows) == min(wanted, length) and rows[:1] == [0][:length]
    if length <= wanted:
        assert rows == list(range(length))
    else:
        assert step * (wanted - 1) < length <= step * 2 * wanted
        assert {after - before for before, after in pairwise(rows)} <= {step, 2 * step}
        assert length - rows[-1] <= 2 * step


@given(st.integers(1, 20), st.lists(st.integers(5, 60), max_size=200), st.integers(60, 500))
def test_there_is_only_so_much_room(wanted: int, lengths: list[int], room: int) -> None:
    """Where lines are long there are fewer of them, spread over all that has passed all the same."""
    rows, step = spread(wanted, lengths, room)
    assert sum(lengths[row] for row in rows) <= max(room, max(lengths, default=0))
    assert len(rows) <= wanted and all(row % step == 0 for row in rows)
    assert len(rows) >= min(wanted, len(range(0, len(lengths), step)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=6),
    max_leaves=40,
)


def weight(value: Any) -> tuple[int, int]:
    """How many values and how many characters there are."""
    if isinstance(value, dict):
        inside = [weight(item) for item in value.values()]
        return 1 + sum(n for n, _ in inside), sum(map(len, value)) + sum(c for _, c in inside)
    if isinstance(value, list):
        inside = [weight(item) for item in value]
        return 1 + sum(n for n, _ in inside), sum(c for _, c in inside)
    return 1, len(value) if isinstance(value, str) else 0


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=6))
def test_whatever_a_row_is_what_is_left_is_json_within_bounds(row: dict[str, Any]) -> None:
    left, harmed = cut(row, TINY)
    assert json.loads(json.dumps(left, allow_nan=False)) == left
    assert weight(left)[1] <= TINY.characters
    assert set(harmed) <= left.keys() and len(left) <= TINY.items


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), plain, max_size=5))
def test_what_fits_is_left_as_it_is_and_nothing_is_said_to_be_cut(row: dict[str, Any]) -> None:
    for bounds in (SHOWN, LEARNT):
        assert cut(row, bounds) == (row, [])


def test_columns_that_were_cut_are_told_apart_from_whole_ones() -> None:
    row = {"a": "12345", "b": "123456", "c": ["1", "2", "3", "4"]}
    assert cut(row, TINY) == ({"a": "12345", "b": "12345", "c": ["1", "2", "3"]}, ["b", "c"])
    assert cut({"a": b"\x89PNG", "b": {"bytes": b"", "path": "x"}}, TINY) == ({"a": None, "b": None}, [])
    assert cut({"a": b"\x89PNG"}, SHOWN) == ({"a": "<binary>"}, [])
