"""Metrics of `evaluate`, by path; that a metric fits is seen before anything is measured."""

from pathlib import Path

import pytest

from hubexpert.errors import HubExpertError
from hubexpert.measure import check_metric, measure
from hubexpert.metrics import OURS
from hubexpert.records import Example

SCRIPT = """
import datasets
import evaluate
class M(evaluate.Metric):
    def _info(self):
        kind = datasets.Value("KIND")
        features = FEATURES
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)
    def _compute(self, predictions, references):
        assert len(predictions) == 1
        return {"value": VALUE}
"""
TEXTS = 'datasets.Features({"predictions": kind, "references": kind})'
LISTS = '[datasets.Features({"predictions": kind, "references": datasets.Sequence(kind)})]'


def script(
    folder: Path, *, kind: str = "string", features: str = TEXTS, value: str = "float(predictions == references)"
) -> str:
    """A metric's script in the folder."""
    file = folder / "same.py"
    file.write_text(SCRIPT.replace("KIND", kind).replace("FEATURES", features).replace("VALUE", value))
    return str(file)


def example(output: str, *choices: str) -> Example:
    return Example(input="q", output=output, choices=choices)


@pytest.mark.parametrize(
    ("kind", "features", "value"),
    [
        ("string", TEXTS, "float(predictions == references)"),
        ("string", LISTS, "float(predictions[0] in references[0])"),
        ("int64", TEXTS, "float(predictions == references)"),
    ],
)
def test_a_metric_by_path(kind: str, features: str, value: str, tmp_path: Path) -> None:
    """A metric may want texts, lists of references or numbers of labels; each answer is measured by itself."""
    metric = script(tmp_path, kind=kind, features=features, value=value)
    examples = [example("cat"), example("dog"), example("cat")]
    check_metric(metric, examples)
    assert measure(metric, ["cat\nIt purrs.", "cat", "a cat"], examples) == [1, 0, 0]


def test_labels_are_the_choices_where_there_are_any(tmp_path: Path) -> None:
    """An answer that names a choice by its letter has its number."""
    metric = script(tmp_path, kind="int32")
    assert measure(metric, ["(B)", "A", "neither"], [example("dog", "cat", "dog")] * 3) == [1, 0, 0]


def test_a_script_is_loaded_once(tmp_path: Path) -> None:
    """Loading takes a second, and a pool of adapters is measured one by one."""
    metric = script(tmp_path)
    assert measure(metric, ["a"], [example("a")]) == [1]
    Path(metric).write_text("raise SystemError")
    assert measure(metric, ["b"], [example("a")]) == [0]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("string", "42 * float(predictions == references)", "outside 0 to 1"),
        ("string", "float('nan')", "outside 0 to 1"),
        ("string", "float(predictions != references)", "0 even to the gold output of example 1"),
        ("string", "'much'", "cannot be used: could not convert"),
        ("string", "undefined", "cannot be used: name 'undefined'"),
        ("float32", "1.0", "cannot be used: it wants"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused_beforehand(kind: str, value: str, said: str, tmp_path: Path) -> None:
    """One sentence and what to use instead: beyond 0 to 1, better when lower, of numbers, broken."""
    metric = script(tmp_path, kind=kind, value=value)
    with pytest.raises(HubExpertError, match=said) as caught:
        check_metric(metric, [example("a"), example("b")])
    assert "exact_match" in caught.value.fix


def test_a_broken_script_is_one_sentence(tmp_path: Path) -> None:
    """Whatever it raises."""
    (tmp_path / "broken.py").write_text("import nothing_of_that_name")
    with pytest.raises(HubExpertError, match="cannot be loaded"):
        check_metric(str(tmp_path / "broken.py"), [example("a")])


def test_a_misspelt_metric_names_the_nearest() -> None:
    """Before anything is loaded."""
    with pytest.raises(HubExpertError) as caught:
        check_metric("exact_macth", [example("a")])
    assert "exact_match" in caught.value.fix


def test_a_path_is_no_misspelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script may be called like one of our metrics."""
    monkeypatch.chdir(tmp_path)
    Path(script(tmp_path)).rename("number.py")
    check_metric("./number.py", [example("a")])


@pytest.mark.parametrize("metric", ["./no-such-metric", "nobody/no-such-metric", "nosuch"])
def test_a_metric_that_cannot_be_had_is_one_sentence_and_a_fix(metric: str) -> None:
    """No such file, no such id, or no Hub."""
    with pytest.raises(HubExpertError, match=r"no script here, and not on the Hub") as caught:
        measure(metric, ["a"], [example("a")])
    assert "exact_match" in caught.value.fix


def test_choice_names_the_example_without_choices() -> None:
    """Likelihoods of choices need choices."""
    fine = example("dog", "cat", "dog")
    check_metric("choice", [fine])
    with pytest.raises(HubExpertError, match=r"example 2 \('q'\) has none") as caught:
        check_metric("choice", [fine, example("dog")])
    assert "exact_match" in caught.value.fix
    with pytest.raises(HubExpertError, match=r"example 1 \('q'\) has one"):
        check_metric("choice", [example("dog", "dog")])


def test_a_gold_output_without_a_number_is_told() -> None:
    """No answer to it could count; numbers pass."""
    check_metric("number", [example("so 4"), example("5")])
    with pytest.raises(HubExpertError, match="`number` gives 0 even to the gold output of example 2") as caught:
        check_metric("number", [example("so 4"), example("none")])
    assert "task.metric" in caught.value.fix


@pytest.mark.parametrize("metric", sorted(OURS))
def test_what_explains_the_answer_does_not_count(metric: str) -> None:
    """The mixture is trained to answer first and then explain."""
    answers = ["\n42\nBecause 6 times 7 is 43", "42: it is\n42", " 42 "]
    assert measure(metric, answers, [example("42", "42", "43")] * 3) == pytest.approx(
        [1, 0.5, 1] if metric == "f1" else [1, 1, 1]
    )
