"""Scores of rows against a loop over rows, columns and shots, and which rows are taken."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hubexpert.rebase import RowVectors, Scores, ShotVectors, score
from hubexpert.rebase.retrieve import Retrieved, names_task, retrieve
from hubexpert.rebase.score import AT_ONCE
from hubexpert.recipe import TaskSection
from hubexpert.records import Row, Source

Array = NDArray[np.floating]


def vectors(draw: st.DrawFn) -> tuple[RowVectors, ShotVectors]:
    """Rows with 0 to 3 values, some of them zeros or equal, and 1 to 4 shots, in 3 dimensions."""
    seed = draw(st.integers(0, 2**32 - 1))
    sizes = draw(st.lists(st.integers(0, 3), max_size=8))
    kinds = draw(st.lists(st.sampled_from(["zero", "same", "any"]), min_size=sum(sizes), max_size=sum(sizes)))
    random = np.random.default_rng(seed)
    values = np.array(
        [{"zero": np.zeros(3), "same": np.ones(3)}.get(kind, random.normal(size=3)) for kind in kinds]
    ).reshape(-1, 3)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    datasets = random.integers(0, 2, len(sizes))
    shots = draw(st.integers(1, 4))
    return (
        RowVectors(values.astype(np.float32), owners, datasets, random.normal(size=(2, 3))),
        ShotVectors(random.normal(size=(shots, 3)), random.normal(size=(shots, 3)), random.normal(size=3)),
    )


def cosine(first: Array, second: Array) -> float:
    lengths = math.sqrt(sum(x * x for x in first)) * math.sqrt(sum(x * x for x in second))
    return float(sum(float(x) * float(y) for x, y in zip(first, second, strict=True)) / lengths) if lengths else 0.0


def z_scores(numbers: list[float]) -> list[float]:
    mean = sum(numbers) / len(numbers)
    spread = math.sqrt(sum((number - mean) ** 2 for number in numbers) / len(numbers))
    return [(number - mean) / spread if spread > 1e-9 else 0.0 for number in numbers]


def slow_scores(rows: RowVectors, shots: ShotVectors) -> list[float]:
    """The formula of the paper, one cosine at a time; each term as a z-score."""

    def mean_cosine(value: Array, wanted: Array) -> float:
        return sum(cosine(each, value) for each in wanted) / len(wanted)

    mine = [
        [value for value, owner in zip(rows.values, rows.owners, strict=True) if owner == r]
        for r in range(len(rows.datasets))
    ]
    full = [r for r, values in enumerate(mine) if values]
    if not full:
        return [-math.inf] * len(mine)
    terms = (
        z_scores([max(mean_cosine(value, shots.inputs) for value in mine[r]) for r in full]),
        z_scores([max(mean_cosine(value, shots.outputs) for value in mine[r]) for r in full]),
        z_scores([cosine(shots.instruction, rows.descriptions[rows.datasets[r]]) for r in full]),
    )
    found = dict(zip(full, zip(*terms, strict=True), strict=True))
    return [sum(found[r]) / 3 if r in found else -math.inf for r in range(len(mine))]


@given(st.composite(vectors)())
def test_scores_agree_with_a_loop_over_rows_columns_and_shots(given: tuple[RowVectors, ShotVectors]) -> None:
    rows, shots = given
    assert score(rows, shots).rows.tolist() == pytest.approx(slow_scores(rows, shots), abs=1e-4)


@given(st.composite(vectors)(), st.floats(0.01, 100))
def test_the_length_of_vectors_does_not_count(given: tuple[RowVectors, ShotVectors], factor: float) -> None:
    rows, shots = given
    longer = ShotVectors(shots.inputs * factor, shots.outputs / factor, shots.instruction * factor)
    assert score(rows, longer).rows.tolist() == pytest.approx(score(rows, shots).rows.tolist(), abs=1e-6)


@given(st.composite(vectors)())
def test_a_value_that_is_best_in_both_makes_the_terms_of_its_row(given: tuple[RowVectors, ShotVectors]) -> None:
    """The value scores are those of the same two terms: no value's is above what its row gets for them."""
    rows, shots = given
    got = score(rows, shots)
    alone = score(RowVectors(rows.values, rows.owners, rows.datasets, np.zeros_like(rows.descriptions)), shots)
    for r in range(len(rows.datasets)):
        for value in got.values[got.starts[r] : got.starts[r + 1]]:
            assert value <= 1.5 * alone.rows[r] + 1e-6
        if got.starts[r + 1] - got.starts[r] == 1:
            assert got.values[got.starts[r]] == pytest.approx(1.5 * alone.rows[r], abs=1e-6)


def test_more_values_than_are_in_memory_at_once() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(AT_ONCE + 7, 2)).astype(np.float32)
    rows = RowVectors(values, np.arange(len(values)), np.zeros(len(values), int), np.ones((1, 2)))
    wanted = np.array([[3.0, 4.0]])
    z = values @ wanted[0] / np.linalg.norm(values, axis=1) / 5
    z = (z - z.mean()) / z.std()
    assert np.allclose(score(rows, ShotVectors(wanted, wanted, wanted[0])).rows, 2 * z / 3, atol=1e-4)


def test_short_labels_do_not_swamp_relevant_inputs() -> None:
    """Of rows that only hold a label, and rows about the shots' subject with another output, the latter win.

    As the paper adds the terms, the label, whose cosine is 1, would win against inputs whose cosine is 0.4.
    """
    random = np.random.default_rng(0)
    subject, label = np.eye(64)[0], np.eye(64)[1]
    near = [_unit(subject * 0.43 + _unit(random.normal(size=64))) for _ in range(20)]
    far = [_unit(random.normal(size=64)) for _ in range(180)]
    labels = [label if index >= 20 and index % 2 else _unit(random.normal(size=64)) for index in range(200)]
    values = np.array([value for pair in zip([*near, *far], labels, strict=True) for value in pair])
    rows = RowVectors(values, np.repeat(np.arange(200), 2), np.zeros(200, int), np.zeros((1, 64)))
    shots = ShotVectors(subject[None], label[None], subject)
    inputs = np.maximum(values[::2] @ subject, values[1::2] @ subject)
    outputs = np.maximum(values[::2] @ label, values[1::2] @ label)
    assert (np.argsort(-(inputs + outputs))[:20] >= 20).all()
    assert (np.argsort(-score(rows, shots).rows)[:15] < 20).sum() >= 8


def _unit(vector: Array) -> Array:
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("owners", [[0, 2], [1, 0], [-1, 0], [0]])
def test_vectors_that_do_not_belong_together_are_an_error(owners: list[int]) -> None:
    rows = RowVectors(np.ones((2, 3)), np.array(owners), np.array([0, 0]), np.ones((1, 3)))
    with pytest.raises(ValueError, match="value"):
        score(rows, ShotVectors(np.ones((1, 3)), np.ones((1, 3)), np.ones(3)))


def of_rows(rows: list[float], datasets: list[int]) -> Scores:
    return Scores(np.array(rows, float), np.empty(0), np.zeros(len(rows) + 1, int), np.array(datasets, int))


def slow_retrieve(rows: list[float], datasets: list[int], named: list[bool], wanted: int, share: float) -> Retrieved:
    """Take the best row that may be taken, again and again; then say of the others why not."""
    most = max(1, int(round(share * wanted, 6)))
    free = [r for r in range(len(rows)) if not named[r] and rows[r] > -math.inf]
    taken: list[int] = []
    while len(taken) < wanted:
        able = [r for r in free if r not in taken and sum(datasets[t] == datasets[r] for t in taken) < most]
        if not able:
            break
        taken.append(max(able, key=lambda r: (rows[r], -r)))
    full = {d for d in datasets if sum(datasets[t] == d for t in taken) >= most}
    last = (rows[taken[-1]], -taken[-1]) if len(taken) == wanted else (-math.inf, 0)
    refused: dict[str, list[int]] = {}
    for r in sorted(range(len(rows)), key=lambda r: (-rows[r], r)):
        if r in taken:
            continue
        capped = datasets[r] in full and (rows[r], -r) > last
        code = "names-task" if named[r] else "no-values" if r not in free else "share-cap" if capped else "beyond"
        refused.setdefault(code, []).append(r)
    return Retrieved(tuple(taken), {code: tuple(places) for code, places in refused.items()})


ROW = st.tuples(st.sampled_from([-math.inf, 0.0, 0.5, 1.0, 2.0]), st.integers(0, 2), st.booleans())


@given(st.lists(ROW, max_size=20), st.integers(1, 8), st.floats(0.01, 1))
def test_the_best_rows_are_taken_under_the_cap(given: list[tuple[float, int, bool]], wanted: int, share: float) -> None:
    """As when one takes the best that may be taken, again and again; of equal ones the first; each row has one fate."""
    rows, datasets, named = ([row[i] for row in given] for i in range(3))
    got = retrieve(of_rows(rows, datasets), np.array(named, bool), rows=wanted, share=share)  # type: ignore[arg-type]
    assert got == slow_retrieve(rows, datasets, named, wanted, share)  # type: ignore[arg-type]
    assert sorted([*got.taken, *(r for places in got.refused.values() for r in places)]) == list(range(len(rows)))


def row(value: str, repo: str = "some/rows") -> Row:
    return Row(source=Source(repo=repo, revision="0" * 40), config="", split="", row=0, values={"a": "x", "b": value})


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("a task of logical deduction, three objects", True),
        ("bbh/logical_deduction", True),
        ("Logical-Deduction!", True),
        ("logical\ndeduction", True),
        ("illogical deduction", False),
        ("logical deductions", False),
        ("deduction logical", False),
        ("logical and deduction", False),
    ],
)
def test_rows_that_hold_the_name_of_the_task_as_words_are_known(value: str, named: bool) -> None:
    assert names_task(row(value), TaskSection(name="logical_deduction", shots="s")) is named


def test_rows_of_the_tasks_own_datasets_are_known() -> None:
    """However the dataset is named, and at whatever commit."""
    task = TaskSection(name="t-1", shots="s", datasets=("ai2/ARC-Easy@main",))
    assert names_task(row("x", "mirror/arc_easy"), task)
    assert not names_task(row("x", "ai2/search"), task)


def test_a_task_without_a_word_in_its_name_is_named_nowhere() -> None:
    assert not names_task(row("--- any"), TaskSection(name="---", shots="s"))
