"""What is planted in examples is found, where it stands, and nothing else."""

import itertools
import json
import time
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.overlap import WORD, overlap, words
from hubexpert.vetting import Finding, check, state
from hubexpert.vetting.lengths import DEVIATIONS, NORMAL, TIMES, outlying
from hubexpert.vetting.signs import signed
from tests.vetting.making import lines

NOUNS = ("abbot", "baker", "cooper", "drover", "ferryman", "glazier")
CLEAN = [(f"The {noun} came by the old road before it was light.", f"It was the {noun} of {noun}s.") for noun in NOUNS]
QUESTION = "Which of the two brothers who kept bees on the hill sold his honey to the abbot first?"


def codes(found: list[Finding]) -> list[tuple[str, tuple[int, ...]]]:
    return [(told.code, told.lines) for told in found]


def test_clean_examples_are_clean() -> None:
    assert check(lines(*CLEAN), lines((QUESTION, "the elder"), file="test.jsonl")) == []
    assert state([]) == "clean"


@pytest.mark.parametrize(
    ("twin", "code"),
    [
        (CLEAN[1], "duplicate-exact"),
        ((f"  {CLEAN[1][0].upper()} ", CLEAN[1][1]), "duplicate-normal"),
        ((CLEAN[1][0], "It was nobody at all."), "contradiction"),
        ((f'"{CLEAN[1][0].lower()}"', "It was nobody at all."), "contradiction"),
    ],
)
def test_an_input_that_stands_twice(twin: tuple[str, str], code: str) -> None:
    """With the same output it is a duplicate, with another a contradiction, which is an error."""
    (found,) = check(lines(*CLEAN, twin))
    assert (found.code, found.lines) == (code, (2, 7))
    assert found.severity == ("error" if code == "contradiction" else "warning")
    assert state([found]) == f"{found.severity}s"


def test_signs_make_other_questions_and_the_same_number_is_no_contradiction() -> None:
    assert check(lines(("What is 2 + 2?", "4"), ("What is 2 - 2?", "0"))) == []
    assert codes(check(lines(("What is 2 + 2?", "4"), ("What is 2 + 2?", "4.0")))) == [("duplicate-normal", (1, 2))]


@pytest.mark.parametrize("outputs", [*itertools.permutations(["4", "4 apples", "4 pears"])])
def test_outputs_of_which_two_do_not_match_are_a_contradiction_in_any_order(outputs: tuple[str, ...]) -> None:
    assert codes(check(lines(*(("How many?", output) for output in outputs)))) == [("contradiction", (1, 2, 3))]


def test_a_large_majority_and_labels_with_one_example_are_told() -> None:
    yes = [(f"{given} Did it?", "yes") for given, _ in CLEAN]
    few = [("Was it dark on the road that he took, or light?", "no"), ("Was it the abbot who came by it?", "Perhaps.")]
    found = check(lines(*yes, *few))
    assert codes(found) == [("label-majority", (1, 2, 3, 4, 5, 6)), ("label-alone", (7, 8))]
    assert "75%" in found[0].sentence and '"yes" 6, "no" 1, "Perhaps." 1' in found[0].sentence
    assert '"no", "Perhaps."' in found[1].sentence
    assert codes(check(lines(*yes))) == [("label-majority", (1, 2, 3, 4, 5, 6))]
    even = [(given, ("yes", "no")[place % 2]) for place, (given, _) in enumerate(CLEAN)]
    assert check(lines(*even)) == []


def test_the_output_that_is_a_novel_and_the_input_that_is_a_word() -> None:
    found = check(lines(*CLEAN, ("Who?", CLEAN[0][1] * 19)))
    assert codes(found) == [("length-input", (7,)), ("length-output", (7,))]
    assert "line 7 (4 characters)" in found[0].sentence


@settings(deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_lengths_are_far_by_the_written_rule(sizes: list[int]) -> None:
    """Three times the median or a third of it, and five deviations away."""
    middle = median(sizes)
    deviation = NORMAL * median([abs(size - middle) for size in sizes])
    slow = [
        index
        for index, size in enumerate(sizes)
        if (size / middle > TIMES or middle / size > TIMES) and abs(size - middle) > DEVIATIONS * deviation
    ]
    assert outlying(sizes) == slow


PLANTED = {
    "the same": (QUESTION, "leak-exact"),
    "the same but for case": (QUESTION.upper(), "leak-exact"),
    "quoted": (f"Read this: {QUESTION} Then answer.", "leak-ngram"),
    "its second half": ("Tell me who kept bees on the hill sold his honey to the abbot first", "leak-ngram"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_held_out_input_among_the_shots_is_an_error(name: str) -> None:
    """Both places are told: the shot's as a line, the held-out one's beside it."""
    text, code = PLANTED[name]
    test = lines(("Another one, of ships and of the sea.", "x"), (QUESTION, "the elder"), file="test.jsonl")
    (found,) = check(lines(*CLEAN, (text, CLEAN[2][1])), test)
    assert (found.code, found.severity, found.lines, found.elsewhere) == (code, "error", (7,), ("test.jsonl:2",))


ANOTHER = {  # held-out input -> a shot's input with the same words
    "What is 2 + 2?": "What is 2 - 2?",
    "Compute (3 + 4) * 5 now": "Compute 3 + (4 / 5), now",
    "Is it so that 3 < 5 or 4": "Is it so that 3 > 5 or 4",
    "What is 7 − -3 of it": "What is 7 + -3 of it",
    "Solve for the unknown in the equation x² + 3 = 12": "Solve for the unknown in the equation x² - 3 = 12",
}
THE_SAME = {
    "What is 2 + 2?": "**What is 2+2**",
    "What is 7 - 3 of it": "Question: What is 7 − 3 of it?\nWhat is 7 – 3 of it?",
    "What is well-known and/or old?": "what is well known, and or old",
    "From 1914-1918 there was a war - a long one - there": "From 1914–1918 there was a war, a long one, there.",
    "Choose one of 3\n- 4\n- 5": "choose one of 3 4 5!",
}


@pytest.mark.parametrize("held", ANOTHER)
def test_the_same_words_with_other_signs_between_numbers_are_another_question(held: str) -> None:
    found = check(lines((ANOTHER[held], "x"), (THE_SAME["What is 2 + 2?"], "z")), lines((held, "y"), file="test.jsonl"))
    assert [told.lines for told in found if told.code.startswith("leak")] == [(2,)] * (held == "What is 2 + 2?")


@pytest.mark.parametrize("held", THE_SAME)
def test_punctuation_that_is_no_sign_between_numbers_hides_no_leak(held: str) -> None:
    found = check(lines(*CLEAN, (THE_SAME[held], "It was so.")), lines((held, "y"), file="test.jsonl"))
    assert [(told.code, told.lines) for told in found if told.severity == "error"] == [("leak-ngram", (7,))]


@given(st.text(alphabet="ab2 +-*/.,(\n−√²東京", max_size=40))
def test_signs_are_added_to_the_words_and_change_none(text: str) -> None:
    assert tuple(piece for piece in signed(text).split() if WORD.match(piece)) == words(text)


@pytest.mark.parametrize("cell", ["0 ", "{} "])
def test_long_inputs_take_no_long_time(cell: str) -> None:
    """Whole documents; tables of noughts, each piece of which is every other."""
    told = "".join(cell.format(number) for number in range(40_000))
    learned = lines(*((f"{told}{n} and {told}", f"x{n}") for n in range(3)))
    held = lines(*((f"{told}{n}", f"y{n}") for n in range(3, 6)), file="test.jsonl")
    began = time.process_time()
    assert not [told for told in check(learned, held) if told.severity == "error"]
    assert time.process_time() - began < 10


WORDS = st.lists(st.sampled_from(["bee", "hill", "road", "sea"]), min_size=1, max_size=20).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(st.lists(WORDS, min_size=1, max_size=5), st.lists(WORDS, min_size=1, max_size=5))
def test_leaks_are_those_that_the_overlap_of_rows_tells(shots: list[str], held: list[str]) -> None:
    """What counts as shared is what the guard of training data counts, but for inputs that are the same."""
    learned = lines(*((text, "x") for text in shots))
    test = lines(*((text, "y") for text in held), file="test.jsonl")
    found = {told.lines[0]: told for told in check(learned, test) if told.code.startswith("leak")}
    for line in learned:
        counted = overlap([each.example for each in test], [("", line.example.input, "", line.example.output)])
        same = line.example.input in held
        shared = bool(counted.verbatim or counted.partial)
        assert (line.number in found) == (same or shared)
        if line.number in found:
            assert found[line.number].code == ("leak-exact" if same else "leak-ngram")


def test_examples_of_several_files_are_told_by_their_files() -> None:
    found = check([*lines(*CLEAN), *lines(CLEAN[3], file="more.jsonl")])
    assert [(told.file, told.lines, told.elsewhere) for told in found] == [("shots.jsonl", (4,), ("more.jsonl:1",))]


def test_hostile_texts_stay_on_their_line() -> None:
    """Control and bidi characters reach no sentence."""
    text = "evil\x1b[2J\u202e\n" + "word " * 40
    for told in check(lines((text, "a"), (text, "b"))):
        assert told.sentence.isprintable() and len(told.sentence) < 300
        assert json.loads(told.model_dump_json())["code"] == "contradiction"
