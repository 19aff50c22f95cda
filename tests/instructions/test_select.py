"""Algorithm 2 of Open Knowledge against a slow reference, and what is told of the rows that were dropped."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hubexpert.instructions import dedup, example_text, select
from hubexpert.records import Example, Row, Source
from tests.halves import chosen

Floats = NDArray[np.float32]
SOURCES = [Source(repo=f"some/data-{number}", revision=str(number) * 40, repo_type="dataset") for number in range(3)]


@dataclass(frozen=True)
class Listed:
    """Rows in memory."""

    rows: tuple[Row, ...]

    @property
    def count(self) -> int:
        return len(self.rows)

    def at(self, places: Sequence[int]) -> list[Row]:
        return [self.rows[place] for place in places]


def listed(part: int, count: int) -> Listed:
    def row(place: int) -> Row:
        example = Example(input=f"question {place} of {part}", output=f"answer {place}")
        return Row(source=SOURCES[part], config="main", split="train", row=10 * place, example=example)

    return Listed(tuple(row(place) for place in range(count)))


def slow_dedup(vectors: Floats, threshold: float) -> list[bool]:
    """A row is kept if it is too much like none of those kept before it."""
    kept: list[int] = []
    for row in range(len(vectors)):
        if all(float(np.dot(vectors[row], vectors[other])) <= threshold for other in kept):
            kept.append(row)
    return [row in kept for row in range(len(vectors))]


def slow_select(
    parts: Sequence[Floats], shots: Floats, count: int, threshold: float, allowed: Sequence[NDArray[np.bool_]]
) -> list[tuple[float, int, int]]:
    """Closeness and place of the kept rows: all sorted by their largest cosine to a shot, cut, duplicates dropped."""
    ranked = sorted(
        (-max(float(np.dot(row, shot)) for shot in shots), part, place)
        for part, vectors in enumerate(parts)
        for place, row in enumerate(vectors)
        if allowed[part][place]
    )[:count]
    keep = slow_dedup(np.array([parts[part][place] for _, part, place in ranked]), threshold)
    return [(-distance, part, place) for (distance, part, place), kept in zip(ranked, keep, strict=True) if kept]


def on_circle(*degrees: float) -> Floats:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


whole_degrees = st.lists(st.integers(0, 179), max_size=30)


@settings(deadline=None)
@given(degrees=whole_degrees, alike=st.integers(1, 60), block=st.integers(1, 9))
def test_near_duplicates_are_those_of_the_slow_reference(degrees: list[int], alike: int, block: int) -> None:
    """However rows are cut into blocks; each dropped row names the kept row before it that it is most like."""
    vectors, threshold = on_circle(*degrees), float(np.cos(np.radians(alike + 0.5)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hubexpert.instructions.duplicates.BLOCK", block)
        found = dedup(vectors, threshold)
    assert found.keep.tolist() == slow_dedup(vectors, threshold)
    for row, like in enumerate(found.like.tolist()):
        assert found.keep[like]
        assert (like == row) == found.keep[row]
        near = [abs(degrees[row] - degrees[other]) for other in range(row) if found.keep[other]]
        if like != row:
            assert abs(degrees[row] - degrees[like]) == min(near)
            assert found.cosine[row] == pytest.approx(np.cos(np.radians(min(near))), abs=1e-5)


def test_a_dropped_row_drops_no_others() -> None:
    """Of a chain in which only neighbours are alike every second one stays; at 1 even equal rows stay."""
    assert dedup(on_circle(0, 20, 40, 60, 80), 0.9).keep.tolist() == [True, False, True, False, True]
    assert dedup(on_circle(33, 33, 33), 1.0).keep.all()
    assert dedup(on_circle(33, 33, 33), 0.99999).keep.tolist() == [True, False, False]


@settings(deadline=None)
@given(
    parts=st.lists(chosen, min_size=3, max_size=3),
    shots=chosen.filter(len),
    count=st.integers(1, 60),
    threshold=st.sampled_from([0.25, 0.5, 0.75, 1.0]),
    data=st.data(),
)
def test_selected_rows_are_those_of_the_slow_reference(
    parts: list[Floats], shots: Floats, count: int, threshold: float, data: st.DataObject
) -> None:
    """Of the allowed rows the closest to any shot, the closest first, each with its place; counts add up."""
    rows = [listed(number, len(part)) for number, part in enumerate(parts)]
    allowed = [np.array(data.draw(st.lists(st.booleans(), min_size=len(p), max_size=len(p))), bool) for p in parts]
    harvest = select(rows, parts, shots, count=count, similarity=threshold, allowed=allowed)
    wanted = slow_select(parts, shots, count, threshold, allowed)
    origins = [each.origin for each in harvest.kept if each.origin]
    assert [(o.source.repo, o.row, o.closeness) for o in origins] == [
        (SOURCES[part].repo, 10 * place, closeness) for closeness, part, place in wanted
    ]
    for each, (_, part, place) in zip(harvest.kept, wanted, strict=True):
        assert each.example == rows[part].rows[place].example
        assert each.weight == 1
    assert harvest.considered == sum(mask.sum() for mask in allowed)
    assert len(harvest.kept) + harvest.refused.get("near-duplicate", 0) == min(count, harvest.considered)


def test_refused_rows_are_counted_and_a_few_are_shown() -> None:
    """The reason names the closer row that it resembles, and their cosine."""
    rows, parts = [listed(0, 12), listed(1, 2)], [on_circle(*range(20, 32)), on_circle(10, 60)]
    allowed = [np.ones(12, bool), np.ones(2, bool)]
    harvest = select(rows, parts, on_circle(0), count=100, similarity=0.95, allowed=allowed)
    assert [(each.origin.source.repo, each.origin.row) for each in harvest.kept if each.origin] == [
        ("some/data-1", 0),
        ("some/data-0", 90),
        ("some/data-1", 10),
    ]
    assert harvest.refused == {"near-duplicate": 11}
    assert len(harvest.samples) == 5
    first = harvest.samples[0]
    assert (first.source, first.row, first.text) == (SOURCES[0], 0, "question 0 of 0\nanswer 0")
    assert first.reason == (
        "it resembles row 0 of some/data-1 (main/train), which is closer to the shots: their cosine is 0.985"
    )


def test_rows_without_an_example_or_vector_are_errors() -> None:
    """A caller that allows them is wrong."""
    bare = Listed((Row(source=SOURCES[0], config="", split="train", row=0),))
    with pytest.raises(ValueError, match="row 0 of some/data-0 has no example"):
        select([bare], [on_circle(1)], on_circle(0), count=1, similarity=0.9, allowed=[np.ones(1, bool)])
    with pytest.raises(ValueError, match="do not belong together"):
        select([bare], [on_circle(1, 2)], on_circle(0), count=1, similarity=0.9, allowed=[np.ones(2, bool)])
    none = select([bare], [on_circle(1)], on_circle(0), count=1, similarity=0.9, allowed=[np.zeros(1, bool)])
    assert (none.considered, none.kept, none.refused) == (0, (), {})


def test_the_text_of_an_example_is_its_parts_a_line_each() -> None:
    """What is empty leaves no line."""
    assert (
        example_text(Example(instruction="Add.", input="1 and 2", output="3", rationale="easy")) == "Add.\n1 and 2\n3"
    )
    assert example_text(Example(input="1 and 2", output="3")) == "1 and 2\n3"
