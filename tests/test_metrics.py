"""Metrics on answers as models give them."""

import itertools
import json
import math
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.metrics import OURS, choose, counted, decided, exact_match, f1, names_choice, number
from hubexpert.records import Example

CHOICES = ("the sun", "the moon", "a lamp")
DRINKS = ("a dog", "tea", "the answer is no", "7", "7.5")
TRUTH = ("true", "false")
BBH = ("(A)", "(B)", "(C)")


def example(output: str, *choices: str) -> Example:
    return Example(input="q", output=output, choices=choices)


@pytest.mark.parametrize(
    ("answer", "output", "choices", "value"),
    [
        ("The moon.", "the moon", CHOICES, 1),
        ("**The  moon**", "the moon", CHOICES, 1),
        ("- the moon", "the moon", CHOICES, 1),
        ("the moon which is white", "the moon", CHOICES, 1),
        ("the moon, which is white", "the moon", CHOICES, 1),
        ("the moonlight", "the moon", CHOICES, 0),
        ("It's the moon.", "the moon", CHOICES, 1),
        ("So, the correct answer is: the moon", "the moon", CHOICES, 1),
        ("I like the moon", "the moon", CHOICES, 0),
        ("B", "the moon", CHOICES, 1),
        ("b)", "the moon", CHOICES, 1),
        ("B.", "the moon", CHOICES, 1),
        ("**B**", "the moon", CHOICES, 1),
        ("(B) the moon", "the moon", CHOICES, 1),
        ("C) a lamp", "the moon", CHOICES, 0),
        ("Answer: B", "the moon", CHOICES, 1),
        ("The answer is (B)", "the moon", CHOICES, 1),
        ("Option B because it is white", "the moon", CHOICES, 1),
        ("B is what I think", "the moon", CHOICES, 0),
        ("B.C. was long ago", "the moon", CHOICES, 0),
        ("D", "the moon", CHOICES, 0),
        ("B", "B", ("cat", "dog"), 1),
        ("dog", "B", ("cat", "dog"), 1),
        ("(b)", "dog", ("cat", "dog"), 1),
        ("A good answer is dog", "cat", ("cat", "dog"), 0),
        ("The answer is a dog", "A", ("cat", "a dog"), 0),
        ("The answer is A dog", "cat", ("cat", "a dog"), 0),
        ("The answer is A because", "cat", ("cat", "a dog"), 1),
        ("A good answer", "A good answer", ("cat", "A good answer"), 1),
        ("the answer is no", "the answer is no", DRINKS, 1),
        ("7.5 litres", "7", DRINKS, 0),
        ("7 litres", "7", DRINKS, 1),
        ("7,500", "7", DRINKS, 0),
        ("yes, it is", "yes", ("yes", "no"), 1),
        ("Yes", "true", TRUTH, 1),
        ("No.", "true", TRUTH, 0),
        ("not true", "true", TRUTH, 0),
        ("no", "unknown", ("yes", "unknown"), 0),
        ("not spam", "spam", ("not spam", "spam"), 0),
        ("B", "(B)", BBH, 1),
        ("(B) 12/02/1986", "(B)", BBH, 1),
        ("The answer is (B).", "(B)", BBH, 1),
        ("A dog", "(A)", BBH, 0),
        ("B", "B", ("B", "A"), 1),
        ("C", "c", ("C", "C++", "C#"), 1),
        ("C++ of course", "c++", ("C", "C++", "C#"), 1),
        ("*", "*", ("+", "*"), 1),
        ("+", "*", ("+", "*"), 0),
        ("", "the moon", CHOICES, 0),
        ("something else", "something else", CHOICES, 1),
    ],
)
def test_a_choice_is_named_by_its_text_or_its_letter(
    answer: str, output: str, choices: tuple[str, ...], value: float
) -> None:
    """At the beginning or after a short lead; a letter before other words is none."""
    assert exact_match(answer, example(output, *choices)) == value


@pytest.mark.parametrize(
    ("answer", "output", "value"),
    [
        ("Yes, because it says so.", "yes", 1),
        ("True.", "yes", 1),
        ("The answer is no", "FALSE", 1),
        ("It is false that", "no", 1),
        ("The statement is true.", "True", 1),
        ("truely", "true", 0),
        ("Not true", "true", 0),
        ("nothing", "no", 0),
        ("no yes", "yes", 0),
        ("I do not know; yes", "yes", 0),
        ("\n\nyes\nno", "yes", 1),
    ],
)
def test_yes_is_true(answer: str, output: str, value: float) -> None:
    """Of a gold output that is yes, no, true or false the word at the beginning decides."""
    assert exact_match(answer, example(output)) == value


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('{"city": "Rome", "rooms": 2}', 1),
        ('{"rooms":2.0,"city":" rome."}', 1),
        ('```json\n{\n  "rooms": 2,\n  "city": "Rome"\n}\n```', 1),
        ('Here is the JSON:\n\n{"city": "Rome", "rooms": 2} As you see', 1),
        ('The answer is {"city": "Rome", "rooms": 2}\nBecause', 1),
        ('{"city": "R\\u006fme", "rooms": 2}', 1),
        ('{"city": "Rome", "rooms": "2"}', 0),
        ('{"city": "Rome", "rooms": true}', 0),
        ('{"city": "Rome"}', 0),
        ('{"city": "Rome", "rooms": 2, "more": null}', 0),
        ('{"City": "Rome", "rooms": 2}', 0),
        ('{"rooms": 3, "city": "Rome", "rooms": 2}', 0),
        ('{"city": "Rome", "rooms": 2', 0),
        ('{"city": "Rome", "rooms": NaN}', 0),
        ('[{"city": "Rome", "rooms": 2}]', 0),
        ('{} {"city": "Rome", "rooms": 2}', 0),
        ('No.\n{"city": "Rome", "rooms": 2}', 0),
        (f'{"so " * 30}{{"city": "Rome", "rooms": 2}}', 0),
        ("", 0),
    ],
)
def test_json_is_compared_as_a_value(answer: str, value: float) -> None:
    """Keys in any order, texts by their normal form, numbers by value; the first JSON counts, after little text."""
    assert exact_match(answer, example('{"city": "Rome", "rooms": 2}')) == value


@pytest.mark.parametrize(
    ("answer", "output", "value"),
    [
        ("1,234.50", "1234.5", 1),
        ("$1234.5", "1,234.5", 1),
        ("50%", "50", 1),
        ("24 apples", "24", 1),
        ("24kg.", "24", 1),
        ("24 m2", "24", 1),
        ("The answer is $24.", "24", 1),
        ("- 24", "24", 1),
        ("−24", "-24", 1),
        (".5", "0.50", 1),
        ("0.1", "0.10", 1),
        ("2.", "2", 1),
        ("1,00,000", "100000", 1),
        ("9007199254740993", "9007199254740992", 0),
        ("24 + 3 = 27", "24", 0),
        ("24 or 25", "24", 0),
        ("24-25", "24", 0),
        ("24e3", "24", 0),
        ("2,4", "24", 0),
        ("240", "24", 0),
        ("2.4", "24", 0),
        ("-24", "24", 0),
        ("He has 24", "24", 0),
        ("twenty-four", "24", 0),
    ],
)
def test_a_number_is_compared_by_value(answer: str, output: str, value: float) -> None:
    """With a unit after it or none, but no second number."""
    assert exact_match(answer, example(output)) == value


@pytest.mark.parametrize(
    ("answer", "output", "value"),
    [
        ("book restaurant", "book restaurant", 1),
        (" Book  restaurant.", "book restaurant", 1),
        ("book a restaurant", "book restaurant", 0),
        ("book restaurant now", "book restaurant", 0),
        ("“Book restaurant”", "book restaurant", 1),
        ("- book restaurant", "book restaurant", 1),
        ("Answer: book restaurant", "book restaurant", 1),
        ("the answer is 42 or so", "The answer is 42 or so", 1),
        ("don’t know", "don't know", 1),
        ("ＣＡＦÉ", unicodedata.normalize("NFD", "café"), 1),
        ("STRASSE", "straße", 1),
        ("...", "!", 0),
        ("!", "!", 1),
        ("f(x);", "f(x)", 1),
        ("f(y)", "f(x)", 0),
        ("book restaurant\nbecause", "book restaurant", 1),
        ("line one\nline two", "line one\nline two", 1),
        ("line one", "line one\nline two", 0),
        ("", "rate", 0),
        ("[PAD]", "[PAD]", 1),
        ("1/2", "1/2", 1),
    ],
)
def test_other_texts_are_compared_by_their_normal_form(answer: str, output: str, value: float) -> None:
    """NFKC, case, white space and the punctuation around do not matter; what is inside does."""
    assert exact_match(answer, example(output)) == value


@pytest.mark.parametrize(
    ("answer", "output", "value"),
    [
        ("The answer is 1,234.", "1234", 1),
        ("3 apples and 4 pears", "4", 1),
        ("four", "4", 0),
        ("-2.50", "-2.5", 1),
        ("10-4", "4", 1),
        ("1, 2,3", "3", 1),
        ("12,345.00 in all", "$12,345", 1),
        ("5", "none", 0),
    ],
)
def test_number(answer: str, output: str, value: float) -> None:
    """The last number counts."""
    assert number(answer, example(output)) == value


@pytest.mark.parametrize(("answer", "value"), [("a b", 1), ("a c", 0.5), ("c", 0), ("a b c d", 2 / 3), ("B, a.", 1)])
def test_f1(answer: str, value: float) -> None:
    """Token overlap, punctuation aside."""
    assert f1(answer, example("a b")) == pytest.approx(value)


@pytest.mark.parametrize(
    ("answer", "output", "part"),
    [
        ("\n yes \nbecause", "yes", "yes"),
        ("yes\r\nno", "yes", "yes"),
        ("one\ntwo\n", "1\n2", "one\ntwo"),
        ('So:\n{"a":\n1} and', '{"a": 1}', '{"a":\n1}'),
        ('no\n{"a": 1}', '{"a": 1}', "no"),
        ('{"a": ', '{"a": 1}', '{"a": '),
        ("", "yes", ""),
    ],
)
def test_what_counts_of_an_answer(answer: str, output: str, part: str) -> None:
    """A line of a one-line gold output, the JSON of one that is JSON, else all."""
    assert counted(answer, example(output)) == part


def test_an_output_is_checked_against_its_choices() -> None:
    """By text or letter."""
    assert names_choice("(B) the moon", CHOICES)
    assert names_choice("The Sun.", CHOICES)
    assert not names_choice("the stars", CHOICES)


HUGE = 100_000
PATHOLOGICAL = {
    "letters": "a" * HUGE,
    "braces": "{" * HUGE,
    "brackets": "[" * HUGE,
    "nested": '{"a":' * (HUGE // 5),
    "closed": "[" * 1000 + "]" * 1000,
    "digits": "1" * HUGE,
    "commas": "1," * (HUGE // 2),
    "quotes": '"' * HUGE,
    "backslashes": '{"a": "' + "\\" * HUGE,
    "marks": "e" + "\u0315\u0300" * (HUGE // 2),
    "ligatures": "ﷺ" * (HUGE // 18),
    "leads": "the answer is " * (HUGE // 14),
    "lines": "\n" * HUGE,
    "points": "." * HUGE,
    "blanks": " " * HUGE + "x",
    "surrogates": "\ud800" * HUGE,
    "unfinished": "\ufffd" * HUGE,
    "list": "- " * (HUGE // 2),
}


@pytest.mark.parametrize("name", sorted(PATHOLOGICAL))
def test_no_answer_is_too_much(name: str) -> None:
    """Hundred thousand characters of anything take no second each, whole or as a beginning."""
    answer = PATHOLOGICAL[name]
    golds = [
        example("the moon", *CHOICES),
        example("yes"),
        example('{"a": 1}'),
        example("[1]"),
        example("12"),
        example("rate"),
        example("a\nb"),
    ]
    before = time.process_time()
    for gold, (metric, function) in itertools.product(golds, OURS.items()):
        assert 0 <= function(answer, gold) <= 1
        decided(metric, answer, gold)
    assert time.process_time() - before < 2 * len(golds) * len(OURS)


def test_deep_and_long_gold_outputs_are_texts() -> None:
    """What no parser should be given is compared as it stands."""
    deep = "[" * 500 + "]" * 500
    assert exact_match(deep, example(deep)) == 1
    digits = "9" * 6000
    assert exact_match(f"{digits}.0", example(digits)) == 1
    assert exact_match(json.dumps([1]), example(f"[{digits}]")) == 0


@pytest.mark.parametrize(
    ("partial", "output", "choices", "is_decided"),
    [
        ("The", "yes", (), False),  # "The answer is yes"
        ("The moon is", "yes", (), True),
        ("truely", "yes", (), True),
        ("true", "yes", (), False),
        ("true ", "yes", (), False),
        ("true, In", "yes", (), True),
        ("yes\n", "yes", (), True),
        ("\n\n", "yes", (), False),
        ("e", "é", (), False),
        ("The moon", "B", CHOICES, False),  # "The moonlight"
        ("The mo", "A", CHOICES, True),
        ("(B", "the moon", CHOICES, False),
        ("(B)", "the moon", CHOICES, True),
        ("7", "24", (), True),
        ("2", "24", (), False),
        ("24", "24", (), False),
        ("24 apples", "24", (), False),  # "24 apples + 3 = 27"
        ("25 apples", "24", (), True),
        ("Play the", "play music", (), True),
        ("Play", "play music", (), False),
        ("Rome is", '{"city": "Rome"}', (), False),
        ("Rome is the capital of Italy and of an empire that was great once", '{"city": "Rome"}', (), True),
        ('{"town":', '{"city": "Rome"}', (), True),
        ('{"city": "Par', '{"city": "Rome"}', (), True),
        ('{"city": "Ro', '{"city": "Rome"}', (), False),
        ('{"city": "Rome"}', '{"city": "Rome"}', (), True),
        ('{"rooms": 2, "city"', '{"city": "Rome", "rooms": 3}', (), True),
        ("[1, 3,", "[1, 2, 3]", (), True),
        ("a\nc", "a\nb", (), False),
        ("a\ncd", "a\nb", (), True),
        ("no\ufffd", "yes", (), True),
        ("\ufffd", "yes", (), False),
    ],
)
def test_early_decisions(partial: str, output: str, choices: tuple[str, ...], is_decided: bool) -> None:
    """A wrong answer is known after a few words, where nothing that follows can mend it."""
    assert decided("exact_match", partial, example(output, *choices)) == is_decided


@pytest.mark.parametrize("metric", ["f1", "number", "bleu"])
def test_other_metrics_wait_for_the_line(metric: str) -> None:
    """Every word may matter to them."""
    assert not decided(metric, "I do not know that", example("42"))
    assert decided(metric, "I do not know that\n", example("42"))
    assert not decided(metric, "I\ndo\n", example("4\n2"))


def slow_choice(nlls: list[float], priors: list[float]) -> int:
    """The definition: the choice whose probability the prompt raises by the largest factor."""
    ratios = [math.exp(-nll) / math.exp(-prior) for nll, prior in zip(nlls, priors, strict=True)]
    return ratios.index(max(ratios))


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 120)), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_the_choice_is_the_one_that_the_prompt_makes_likelier(pairs: list[tuple[int, int]]) -> None:
    """As by the definition; eighths of nats, so that the reference has no ties by rounding."""
    nlls, priors = [nll / 8 for nll, _ in pairs], [prior / 8 for _, prior in pairs]
    chosen = choose(nlls, priors)
    best = min(nll - prior for nll, prior in zip(nlls, priors, strict=True))
    assert nlls[chosen] - priors[chosen] == best
    assert math.isclose(
        math.exp(priors[chosen] - nlls[chosen]),
        math.exp(priors[slow_choice(nlls, priors)] - nlls[slow_choice(nlls, priors)]),
    )


def test_a_common_choice_has_no_advantage_and_the_first_of_equals_wins() -> None:
    """What is likely anyhow needs no more than its share; a choice without a number is never chosen."""
    assert choose([2.0, 5.0], [1.0, 9.0]) == 1
    assert choose([2.0, 3.0, 4.0], [2.0, 3.0, 4.0]) == 0
    assert choose([math.nan, 3.0], [2.0, 3.0]) == 1
    with pytest.raises(ValueError, match="zip"):
        choose([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("No mammal lays eggs.\nAnswer: yes", 1.0),
        ("yes, for a bat is one.\nAnswer: no", 0.0),
        ("Answer: yes\nAnswer: no", 1.0),
        ("yes", 1.0),
        ("Bats fly: yes", 0.0),
    ],
)
def test_of_a_reasoned_answer_what_follows_the_rationale_counts(answer: str, value: float) -> None:
    """And the whole, where the rationale did not come to an end."""
    assert exact_match(answer, Example(input="q", output="yes", choices=("yes", "no"), reasoned=True)) == value
