"""Examples are filtered and weighted by the distance of the base's own answers, as slow references say."""

import itertools
from pathlib import Path
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.beacons import answers, distances, keep, moved, shaped, weights
from hubexpert.lm import Lm, encode, generate
from hubexpert.recipe import BeaconsSection
from hubexpert.records import Example, Origin, Source, TrainingExample, as_lesson
from hubexpert.workspace import Journal
from tests import tiny

FAR = st.floats(0, 2).map(lambda d: round(d, 6))
SHOTS = tuple(Example(input=f"{'ab'[i % 2]}{i}", output=("left", "right")[i % 2]) for i in range(6))


def objective(held: list[float], spread: float) -> float:
    return fmean(held) - spread * pstdev(held)


@given(st.lists(FAR, min_size=1, max_size=12), st.floats(0.1, 1), st.floats(0, 3))
def test_the_filter_leaves_out_what_it_is_best_without(found: list[float], ratio: float, spread: float) -> None:
    """One after the other, the example without which mean - β · std is least; of equals the last."""
    left = list(range(len(found)))
    while len(left) > max(1, round(ratio * len(found))):
        tried = {i: objective([found[j] for j in left if j != i], spread) for i in left}
        left.remove(max(i for i in left if tried[i] <= min(tried.values()) + 1e-12))
    kept = keep(found, ratio=ratio, spread=spread)
    assert len(kept) == len(left)
    # where two removals are equal up to rounding either may be taken
    assert objective([found[i] for i in kept], spread) == pytest.approx(objective([found[i] for i in left], spread))


@given(st.lists(FAR, min_size=2, max_size=7), st.integers(1, 6))
def test_without_spread_the_filter_finds_the_best_set(found: list[float], size: int) -> None:
    """With β = 0 no set of that size has a smaller mean."""
    size = min(size, len(found))
    kept = keep(found, ratio=size / len(found), spread=0)
    best = min(fmean(group) for group in itertools.combinations(found, size))
    assert fmean(found[i] for i in kept) == pytest.approx(best, abs=1e-9)


@given(st.lists(FAR, max_size=12), st.floats(0, 5))
def test_weights_are_the_formula(found: list[float], strength: float) -> None:
    """1 + λ (d - mean) / std, cut to [0.5, 2], then of mean 1; equal distances have equal weights."""
    told = weights(found, strength=strength)
    if not found or pstdev(found) < 1e-12:
        assert told == [1.0] * len(found)
        return
    raw = [min(2, max(0.5, 1 + strength * (d - fmean(found)) / pstdev(found))) for d in found]
    assert told == pytest.approx([w / fmean(raw) for w in raw], abs=1e-5)
    assert fmean(told) == pytest.approx(1, abs=1e-5)


def test_distances_are_one_minus_the_cosine() -> None:
    given_, gold = np.array([[1, 0], [0, 1], [0.6, 0.8]]), np.array([[1, 0], [1, 0], [-0.6, -0.8]])
    assert distances(given_, gold) == [0, 1, 2]


def row(number: int) -> TrainingExample:
    source = Source(repo="o/rows", revision="0" * 40, repo_type="dataset")
    origin = Origin(method="select", source=source, config="default", split="train", row=number, closeness=0.5)
    return TrainingExample(example=SHOTS[number % len(SHOTS)], origin=origin)


def test_shots_all_stay_and_rows_are_filtered() -> None:
    """Each keeps its place and tells its distance; weights have a mean of 1 in each group."""
    section, far = BeaconsSection(keep=0.5, spread=0.0), [0.1, 0.9, 0.2, 0.8]
    kept, left = shaped([row(i) for i in range(4)], far, section, all_stay=False)
    assert [(e.origin.row, e.distance) for e in kept if e.origin] == [(0, 0.1), (2, 0.2)]
    assert [(e.origin.row, e.distance) for e in left if e.origin] == [(1, 0.9), (3, 0.8)]
    assert kept[0].weight < 1 < kept[1].weight
    kept, left = shaped(as_lesson(SHOTS[:4]), far, section, all_stay=True)
    assert [e.distance for e in kept] == far
    assert fmean(e.weight for e in kept) == pytest.approx(1, abs=1e-5)
    assert left == ()


def test_what_training_moved_is_told() -> None:
    told = moved([0.5, 0.5, 0.5, 0.5], [0.1, 0.6, 0.5, 0.50001])
    assert (told.examples, told.before, told.away) == (4, 0.5, 0.25)
    assert told.after == pytest.approx(0.425, abs=1e-4)


def test_an_answer_is_given_once(tmp_path: Path) -> None:
    """Answers are the base's greedy ones; those in the journal are not asked for again."""
    model, journal = Lm(tiny.model(), tiny.tokenizer()), Journal(tmp_path / "answers.jsonl")
    first = answers(model, SHOTS[:4], label="", quiet=True, journal=journal, key="base")
    again = answers(model, SHOTS, label="", quiet=True, journal=journal, key="base")
    assert again[:4] == first
    assert len(journal.read()) == len(SHOTS)
    prompts = [encode(model.tokenizer, shot, "").prompt for shot in SHOTS]
    assert again == generate(model, prompts, max_new_tokens=5 + 8)  # "right" and what an answer may have to spare
    journal.append(next(iter(journal.read())), "kept")
    assert "kept" in answers(model, SHOTS, label="", quiet=True, journal=journal, key="base")
    assert "kept" not in answers(model, SHOTS, label="", quiet=True, journal=journal, key="another base")
