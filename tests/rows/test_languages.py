"""The language of rows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.records import Example, Row, Source
from hubexpert.rows.languages import is_foreign, language_of, languages_of

ENGLISH = "How do I find out whether my new card has been sent to me already?"
GERMAN = "Wie finde ich heraus, ob meine neue Karte schon an mich verschickt wurde?"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ENGLISH, "en"),
        (GERMAN, "de"),
        ("Comment puis-je savoir si ma nouvelle carte a déjà été envoyée chez moi ?", "fr"),
        ("Как мне узнать, была ли моя новая карта уже отправлена по почте?", "ru"),
        ("昨日の夕方に駅前の小さな店で青い傘を二本買いました", "ja"),
        ("Karte verloren", None),
        ("card_arrival", None),
        ('{"intent": "wo ist meine karte", "slots": ["heute", "morgen", "und", "immer", "wieder"]}', None),
        ("def f(x):\n    return [y for y in x if y > 0 and y < 10]\nprint(f([1, 2, 3]), len(x))", None),
        ("for (int i = 0; i < n; i++) { sum += a[i]; b[i] = sum / 2; } return sum;", None),
        ("1 2 3 4 5 6 7 8 9 10", None),
        ("", None),
    ],
)
def test_a_language_is_told_of_prose_of_some_length(text: str, language: str | None) -> None:
    assert language_of(text) == language


@settings(deadline=None)
@given(st.text(max_size=100))
def test_any_text_may_be_asked_about(text: str) -> None:
    found = language_of(text)
    assert found is None or (found.islower() and 2 <= len(found) <= 3)


def example(given: str, output: str = "x") -> Example:
    return Example(input=given, output=output)


def test_the_languages_of_examples_are_those_of_inputs_and_outputs_but_for_slips() -> None:
    assert languages_of([example(ENGLISH, GERMAN)]) == {"en", "de"}
    assert languages_of([example("short"), example("")]) == frozenset()
    assert languages_of([*[example(ENGLISH)] * 20, example(GERMAN)]) == {"en"}


def test_an_example_is_foreign_by_its_input_or_its_output() -> None:
    assert not is_foreign(example(ENGLISH, "card"), {"en"})
    assert is_foreign(example(GERMAN), {"en"}) and is_foreign(example(ENGLISH, GERMAN), {"en"})
    assert not is_foreign(example("kurze Frage"), {"en"})
    assert not is_foreign(example(GERMAN), frozenset())


def test_a_row_is_foreign_by_its_example_or_by_its_longest_column() -> None:
    source = Source(repo="a/b", revision="1" * 40)
    row = Row(source=source, config="c", split="s", row=0, values={"short": "so", "long": GERMAN})
    assert is_foreign(row, {"en"}) and not is_foreign(row, {"de"})
    assert not is_foreign(row.model_copy(update={"example": example(ENGLISH)}), {"en"})
    assert not is_foreign(row.model_copy(update={"values": {}}), {"en"})
