"""Metrics on answers as models give them."""

import pytest

from hubexpert.errors import HubExpertError
from hubexpert.metrics import exact_match, f1, measure, number
from hubexpert.records import Example

CHOICES = ("the sun", "the moon", "a lamp")


@pytest.mark.parametrize(
    ("answer", "output", "choices", "value"),
    [
        ("book restaurant", "book restaurant", (), 1),
        (" Book  restaurant.\nBecause it says so", "book restaurant", (), 1),
        ("book a restaurant", "book restaurant", (), 0),
        ("", "yes", (), 0),
        ("The moon.", "the moon", CHOICES, 1),
        ("B", "the moon", CHOICES, 1),
        ("(B) the moon", "the moon", CHOICES, 1),
        ("C) a lamp", "the moon", CHOICES, 0),
        ("the moon, which is white", "the moon", CHOICES, 0),
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


def test_an_unknown_metric_is_one_sentence_and_a_fix(tmp_path: object) -> None:
    """An id that `evaluate` cannot load names what can be used."""
    with pytest.raises(HubExpertError) as caught:
        measure("./no-such-metric", ["a"], [Example(input="q", output="a")])
    assert "exact_match" in caught.value.fix
