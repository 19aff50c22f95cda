"""The commonest output, against counting by hand."""

from hubexpert.baselines.majority import majority
from hubexpert.records import Example


def examples(*outputs: str) -> list[Example]:
    return [Example(input=str(i), output=output) for i, output in enumerate(outputs)]


def test_the_answer_is_always_the_shots_commonest_output() -> None:
    """Judged as any answer; of equally common outputs the first counts."""
    asked = examples("no", "yes", "No.", "maybe")
    assert majority(examples("yes", "no", "no"), asked, "exact_match") == [1.0, 0.0, 1.0, 0.0]
    assert majority(examples("yes", "no", "no", "yes"), asked, "exact_match") == [0.0, 1.0, 0.0, 0.0]
    assert majority(examples("the cat sat", "the cat sat", "x"), examples("the cat ran"), "f1") == [2 / 3]


def test_outputs_that_all_differ_have_no_commonest() -> None:
    assert majority(examples("a", "b", "c"), examples("a"), "exact_match") is None
