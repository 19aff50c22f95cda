"""Metrics on answers as models give them."""

from pathlib import Path

import pytest

from hubexpert.errors import HubExpertError
from hubexpert.measure import check_metric, measure
from hubexpert.metrics import exact_match, f1, number
from hubexpert.records import Example

CHOICES = ("the sun", "the moon", "a lamp")


@pytest.mark.parametrize(
    ("answer", "output", "choices", "value"),
    [
        ("book restaurant", "book restaurant", (), 1),
        (" Book  restaurant.", "book restaurant", (), 1),
        ("book a restaurant", "book restaurant", (), 0),
        ("", "yes", (), 0),
        ("The moon.", "the moon", CHOICES, 1),
        ("B", "the moon", CHOICES, 1),
        ("(B) the moon", "the moon", CHOICES, 1),
        ("C) a lamp", "the moon", CHOICES, 0),
        ("the moon, which is white", "the moon", CHOICES, 0),
        ("B", "B", ("cat", "dog"), 1),
        ("dog", "B", ("cat", "dog"), 1),
        ("A good answer is dog", "cat", ("cat", "dog"), 0),
        ("A good answer", "A good answer", ("cat", "A good answer"), 1),
        ("the moon which is white", "the moon", CHOICES, 1),
        ("yes, it is", "yes", ("yes", "no"), 0),
        ("not spam", "spam", ("not spam", "spam"), 0),
        ("(B)", "(B)", ("(A)", "(B)"), 1),
        ('{"city": "Rome"}', '{"city": "Rome"}', (), 1),
        ("line one\nline two", "line one\nline two", (), 1),
    ],
)
def test_exact_match(answer: str, output: str, choices: tuple[str, ...], value: float) -> None:
    """Text, letter, first line; with choices the answer may go on after one of them."""
    assert exact_match(answer, Example(input="q", output=output, choices=choices)) == value


@pytest.mark.parametrize(
    ("answer", "output", "value"),
    [("The answer is 1,234.", "1234", 1), ("3 apples and 4 pears", "4", 1), ("four", "4", 0), ("-2.50", "-2.5", 1)],
)
def test_number(answer: str, output: str, value: float) -> None:
    """The last number counts."""
    assert number(answer, Example(input="q", output=output)) == value


@pytest.mark.parametrize(("answer", "value"), [("a b", 1), ("a c", 0.5), ("c", 0), ("a b c d", 2 / 3)])
def test_f1(answer: str, value: float) -> None:
    """Token overlap."""
    assert f1(answer, Example(input="q", output="a b")) == pytest.approx(value)


@pytest.mark.parametrize(
    ("metric", "answer", "output"),
    [
        ("exact_match", "\nyes\nBecause it says so", "yes"),
        ("number", "42\nBecause 6 times 7 is that", "42"),
        ("f1", "yes\nBecause it says so", "yes"),
    ],
)
def test_what_explains_the_answer_does_not_count(metric: str, answer: str, output: str) -> None:
    """The mixture is trained to answer first and then explain."""
    assert measure(metric, [answer], [Example(input="q", output=output)]) == [1]


METRIC = """
import datasets
import evaluate
class M(evaluate.Metric):
    def _info(self):
        kind = datasets.Value("string")
        features = datasets.Features({"predictions": kind, "references": kind})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)
    def _compute(self, predictions, references):
        return {"same": SCALE * float(predictions == references)}
"""


@pytest.mark.parametrize(("scale", "fits"), [(1, True), (42, False)])
def test_a_metric_by_path(scale: int, fits: bool, tmp_path: Path) -> None:
    """Any `evaluate` metric works that gives 0 to 1; others are refused with a sentence."""
    file = tmp_path / "same.py"
    file.write_text(METRIC.replace("SCALE", str(scale)))
    examples = [Example(input="q", output="a"), Example(input="q", output="b")]
    if fits:
        assert measure(str(file), ["a", "a"], examples) == [1, 0]
    else:
        with pytest.raises(HubExpertError, match="outside 0 to 1"):
            measure(str(file), ["a", "a"], examples)


def test_a_misspelt_metric_names_the_nearest() -> None:
    """Before anything is loaded."""
    with pytest.raises(HubExpertError) as caught:
        check_metric("exact_macth")
    assert "exact_match" in caught.value.fix


def test_an_unknown_metric_is_one_sentence_and_a_fix(tmp_path: object) -> None:
    """An id that `evaluate` cannot load names what can be used."""
    with pytest.raises(HubExpertError) as caught:
        measure("./no-such-metric", ["a"], [Example(input="q", output="a")])
    assert "exact_match" in caught.value.fix
