"""Cross-validation on the shots: what is measured was never learned from, and every shot counts once a repetition."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hubexpert import pipeline
from hubexpert.crossval import cross_validate
from hubexpert.errors import HubExpertError
from hubexpert.records import Example, Measured
from hubexpert.shots import read_task

SHOTS = tuple(Example(input=f"row {i}", output=str(i % 3)) for i in range(10))


def test_every_shot_is_measured_by_what_did_not_learn_from_it() -> None:
    """Once a repetition, and its value is the mean of them."""
    calls = []

    def measure(name: str, shots: tuple[Example, ...], held_out: tuple[Example, ...]) -> dict[str, Measured]:
        calls.append((name, shots, held_out))
        values = tuple(float(int(e.input.split()[1]) + 100 * len(calls)) for e in held_out)
        return {"x": Measured(values=values)}

    found = cross_validate(SHOTS, measure, repeats=2, parts=3, seed=1)
    assert len({name for name, _, _ in calls}) == len(calls) == 6
    for _, shots, held_out in calls:
        assert not {*shots} & {*held_out}
        assert {*shots} | {*held_out} == {*SHOTS}
    for half in (calls[:3], calls[3:]):
        assert sorted(e.input for _, _, held_out in half for e in held_out) == sorted(e.input for e in SHOTS)
    for index, value in enumerate(found["x"].values):
        places = [1 + i for i, (_, _, held_out) in enumerate(calls) if SHOTS[index] in held_out]
        assert value == index + 100 * sum(places) / 2


def test_shots_with_one_input_are_never_apart() -> None:
    """A copy of what is measured is not learned from."""
    doubled = (*SHOTS, SHOTS[0].model_copy(update={"input": "ROW  0"}))

    def measure(_: str, shots: tuple[Example, ...], held_out: tuple[Example, ...]) -> dict[str, Measured]:
        inputs = {" ".join(e.input.lower().split()) for e in held_out}
        assert not inputs & {" ".join(e.input.lower().split()) for e in shots}
        return {"x": Measured(values=(1.0,) * len(held_out))}

    assert len(cross_validate(doubled, measure, repeats=3, parts=4, seed=0)["x"].values) == 11


def test_a_system_that_lacks_a_part_is_left_out() -> None:
    calls = []

    def measure(name: str, _: tuple[Example, ...], held_out: tuple[Example, ...]) -> dict[str, Measured]:
        calls.append(name)
        found = Measured(values=(1.0,) * len(held_out))
        return {"x": found} if len(calls) == 2 else {"x": found, "sometimes": found}

    assert set(cross_validate(SHOTS, measure, repeats=1, parts=5, seed=0)) == {"x"}


def test_a_project_without_held_out_rows(project: Callable[..., Path]) -> None:
    """All systems are measured on the shots, each by what was chosen and trained without it; the report says so."""
    recipe = project(
        experts={"candidates": 2, "count": 1}, train={"epochs": 1}, evaluate={"repeats": 1, "folds": 2}, shots=12
    )
    recipe.write_text(recipe.read_text().replace("  test: kshot/test.jsonl\n", ""))
    opened = pipeline.open_project(recipe, quiet=True)
    report = pipeline.evaluate(opened)
    assert report.protocol == "cross-validation"
    assert "12 shots by cross-validation" in report.sentence
    assert {"base", "best-single", "static", "routed", "fresh-lora"} <= {s.name for s in report.systems}
    assert {s.n for s in report.systems} == {12}
    assert report.system("best-single").value > 0.9
    card = pipeline.run(opened)
    assert card.report == report
    text = (recipe.parent / ".hubexpert" / "publish" / "README.md").read_text()
    assert "cross-validation" in text
    assert "held-out examples, with 95 %" not in text


def test_too_few_shots_for_a_cross_validation(project: Callable[..., Path]) -> None:
    recipe = project(shots=4)
    recipe.write_text(recipe.read_text().replace("  test: kshot/test.jsonl\n", ""))
    with pytest.raises(HubExpertError, match="too few for a cross-validation"):
        pipeline.evaluate(pipeline.open_project(recipe, quiet=True))


def test_several_draws(project: Callable[..., Path]) -> None:
    """Each draw has shots of its own and the same held-out rows; without more examples than shots there are none."""
    recipe = project(
        experts={"candidates": 2, "count": 1}, train={"epochs": 1}, shots=24, evaluate={"contributions": 0}
    )
    with pytest.raises(HubExpertError, match="Several draws"):
        pipeline.draws(pipeline.open_project(recipe, quiet=True), 2)
    recipe.write_text(recipe.read_text().replace("  shots: kshot", "  draw: 8\n  shots: kshot"))
    opened = pipeline.open_project(recipe, quiet=True)
    reports = pipeline.draws(opened, 2)
    assert [r.system("routed").n for r in reports] == [60, 60]
    drawn = [read_task(opened.recipe.model_copy(update={"seed": seed}), opened.folder).shots for seed in (0, 1, 0)]
    assert [len(shots) for shots in drawn] == [8, 8, 8]
    assert drawn[0] == drawn[2] != drawn[1]
