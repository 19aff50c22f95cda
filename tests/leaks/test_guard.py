"""The guard: near-copies that are planted are all found, and it says what a slow reading of its definition says."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hubexpert.leaks import guard, leaks, near
from hubexpert.overlap import COMMON, FEWEST, LONG, SHORT, words
from hubexpert.records import Example, Row, Source

SOURCE = Source(repo="a/b", revision="1" * 40, repo_type="dataset")
QUESTION = "Which of the two brothers who kept bees on the hill sold his honey to the abbot first?"
SHORTER = "How do I top up my card by bank?"


def row(*texts: str, example: Example | None = None) -> Row:
    values = {f"column {n}": text for n, text in enumerate(texts)}
    return Row(source=SOURCE, config="c", split="s", row=0, values=values, example=example)


def examples(*inputs: str) -> list[Example]:
    return [Example(input=text, output="x") for text in inputs]


CODES = ("leak-exact", "leak-ngram", "leak-near")
PLANTED = {
    "the same": (QUESTION, "leak-exact"),
    "case and punctuation": ("WHICH of the two brothers -- who kept bees on the hill -- sold his honey to the abbot"
                             " first", "leak-exact"),
    "quoted in a longer text": (f"Read this. '{QUESTION}' Now answer it in one word, please.", "leak-exact"),
    "one word changed in the middle": (QUESTION.replace("kept", "raised"), "leak-ngram"),
    "the first word changed": (QUESTION.replace("Which", "What"), "leak-ngram"),
    "the last word changed": (QUESTION.replace("first", "last"), "leak-ngram"),
    "one word added": (QUESTION.replace("bees", "many bees"), "leak-ngram"),
    "one word left out": (QUESTION.replace("bees ", ""), "leak-ngram"),
    "changed and quoted": (f"Q: {QUESTION.replace('hill', 'moor')} A: the elder", "leak-ngram"),
    "its second half": ("Tell me who kept bees on the hill sold his honey to the abbot first", "leak-ngram"),
    "the shorter one": ("how do i top up my card by BANK", "leak-exact"),
    "the shorter one, one word changed": ("How do I load up my card by bank?", "leak-near"),
    "the shorter one, one word left out": ("How do I top my card by bank?", "leak-near"),
    "the shorter one, two words joined": ("How do I topup my card by bank?", "leak-near"),
    "the shorter one, one word parted": ("How do I to p up my card by bank?", "leak-near"),
    "the shorter one, cut": ("Say: how do I top up my card by", "leak-ngram"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_near_copy_is_found_in_rows_and_in_examples(name: str) -> None:
    text, code = PLANTED[name]
    guarding = guard(examples("Another input of the task, which has nothing to do with it.", QUESTION, SHORTER))
    assert guarding.of_example(Example(input=text, output="y")) == code
    assert guarding.of_example(Example(input="q", output=text)) == code
    assert guarding.of_example(Example(input="q", output="a", rationale=f"Because: {text}")) == code
    assert guarding.of_row(row("other", text)) == code
    assert guarding.of_row(row("other", example=Example(input=text, output="y"))) == code


@pytest.mark.parametrize(
    "text",
    [
        "Which of the two sisters who kept geese on the hill sold her eggs to the abbot first?",
        "How do I top up my phone by card?",
        "The abbot bought honey.",
    ],
)
def test_what_is_only_similar_is_left(text: str) -> None:
    guarding = guard(examples(QUESTION, SHORTER))
    assert guarding.of_row(row(text, example=Example(input=text, output="y"))) is None


@pytest.mark.parametrize("text", ["Thank you!", "hot", "∑ ∫ ∂", "2 + 2"])
def test_a_short_input_is_a_leak_as_a_whole_input_only(text: str) -> None:
    guarding = guard(examples(text))
    assert guarding.of_example(Example(input=f" {text.upper()} ", output="y")) == "leak-exact"
    assert guarding.of_row(row("q", f"so: {text}")) is None
    assert guarding.of_example(Example(input="q", output=text)) is None


def test_without_examples_nothing_is_a_leak() -> None:
    assert guard([]).of_row(row(QUESTION)) is None


WORDS = ("a", "b", "ab")
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=18).map(" ".join)


def slow(inputs: Sequence[str], text: str) -> str | None:
    """The definition, word for word, of an example whose input is this one line and which has nothing else."""
    told = [words(held) for held in inputs]
    line = words(text)
    windows = {line[a:b] for a in range(len(line)) for b in range(a + 1, len(line) + 1)}
    if line in told or any(len(held) >= SHORT and held in windows for held in told):
        return "leak-exact"
    for held in told:
        size = LONG if len(held) >= 2 * LONG else SHORT
        for place in range(len(held) - size + 1):
            piece = held[place : place + size]
            sharing = {
                other
                for other in told
                if (len(other) >= 2 * LONG) == (size == LONG)
                and any(other[n : n + size] == piece for n in range(len(other) - size + 1))
            }
            if len(sharing) < COMMON and piece in windows:
                return "leak-ngram"
    if any(len(held) >= SHORT and window in one_off(held) for held in told for window in windows):
        return "leak-near"
    short = [held for held in told if FEWEST <= len(held) < SHORT]
    longer = {more for held in short for word in WORDS for more in ((word, *held), (*held, word))}
    return "leak-near" if line in longer else None


def one_off(held: tuple[str, ...]) -> set[tuple[str, ...]]:
    """All that an input becomes with one word changed, added or left out, two joined, or one parted."""
    found = {held}
    for place in range(len(held) + 1):
        found |= {(*held[:place], word, *held[place:]) for word in WORDS}
        found |= {(*held[:place], word, *held[place + 1 :]) for word in WORDS}
        found.add(held[:place] + held[place + 1 :])
        found.add((*held[:place], "".join(held[place : place + 2]), *held[place + 2 :]))
        if held[place : place + 1] == ("ab",):
            found.add((*held[:place], "a", "b", *held[place + 1 :]))
    return found


@settings(max_examples=300)
@given(st.lists(texts, min_size=1, max_size=4), texts)
def test_it_says_what_the_definition_says(inputs: list[str], text: str) -> None:
    """Of three words alone, so that inputs, pieces and near-copies meet all the time."""
    assert guard(examples(*inputs)).of_example(Example(input=text, output="")) == slow(inputs, text)


@given(st.lists(st.text(max_size=80), min_size=1, max_size=3), st.lists(st.text(max_size=200), max_size=3))
def test_any_text_can_be_guarded(inputs: list[str], columns: list[str]) -> None:
    guarding = guard(examples(*inputs))
    assert guarding.of_row(row(*columns)) in (None, *CODES)
    for text in inputs:
        assert guarding.of_example(Example(input=text, output="y")) == "leak-exact"
        assert len(words(text)) < FEWEST or guarding.of_row(row(text)) == "leak-exact"


def unit(*rows: Sequence[float]) -> NDArray[np.float32]:
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.99), st.integers(0, 40))
def test_vectors_are_near_beyond_the_threshold(seed: int, threshold: float, count: int) -> None:
    draw = np.random.default_rng(seed)
    vectors, held = unit(*draw.normal(size=(40, 3))), unit(*draw.normal(size=(5, 3)))
    found = near(vectors[:count], held, threshold)
    slowly = [max(float(np.dot(a.astype(float), b)) for b in held) - threshold for a in vectors[:count]]
    assert all(bool(f) == (s > 0) for f, s in zip(found, slowly, strict=True) if abs(s) > 1e-5)


def test_many_vectors_are_compared_in_blocks_and_none_is_lost() -> None:
    draw = np.random.default_rng(0)
    vectors = unit(*draw.normal(size=(10_000, 8)))
    held = vectors[[0, 4095, 4096, 9999]]
    assert set(np.flatnonzero(near(vectors, held, 0.9999))) == {0, 4095, 4096, 9999}
    assert not near(vectors, held[:0]).any() and len(near(vectors[:0], held)) == 0


def test_a_vector_that_is_no_number_is_near() -> None:
    vectors = np.array([[np.nan, 0], [0, 1]], dtype=np.float32)
    assert near(vectors, unit([1, 0])).tolist() == [True, False]


def test_every_row_has_one_code_and_words_come_before_vectors() -> None:
    rows = [row("nothing of it"), row(QUESTION), row("nothing either")]
    guarding = guard(examples(QUESTION))
    assert leaks(rows, guarding, quiet=True) == [None, "leak-exact", None]
    assert leaks(rows, guarding, np.array([False, True, True]), quiet=True) == [None, "leak-exact", "leak-near"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Play music from E-type. Please!", "leak-near"),
        ("please play music from E-type", "leak-near"),
        ("play some music from E-type", None),  # another word within may make another input
        ("please play music from E-type now", None),
        ("from E-type", None),
    ],
)
def test_a_short_input_is_found_with_a_word_before_or_behind_it(text: str, code: str | None) -> None:
    known = guard([Example(input="Play music from E-type.", output="play music")])
    assert known.of_example(Example(input=text, output="x")) == code
