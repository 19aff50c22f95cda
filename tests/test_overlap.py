"""Which examples stand in rows: against a slow reference, and on rows that mean harm."""

import re
import time
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.overlap import COMMON, FEWEST, LONG, SHORT, Overlap, overlap, words
from hubexpert.records import Example

QUESTION = "Which of the two brothers who kept bees on the hill sold his honey to the abbot first?"


def examples(*inputs: str) -> list[Example]:
    return [Example(input=text, output="x") for text in inputs]


def slow(inputs: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[set[int], set[int]]:
    """The definition, word for word: every piece of every input is looked for in every row, as text."""
    told = [" ".join(words(text)) for text in inputs]
    verbatim, partial = set(), set()
    for texts in rows:
        lines = [" ".join(words(line)) for text in texts for line in text.split("\n")]
        lines = [line for line in lines if line]
        row = f" {' '.join(lines)} "
        runs = {" ".join(lines[i:j]) for i in range(len(lines)) for j in range(i + 1, len(lines) + 1)}
        for index, text in enumerate(told):
            size = LONG if len(text.split()) >= 2 * LONG else SHORT
            if len(text.split()) >= FEWEST and (text in runs if len(text.split()) < SHORT else f" {text} " in row):
                verbatim.add(index)
            for place in range(len(text.split()) - size + 1):
                piece = " ".join(text.split()[place : place + size])
                holders = {
                    other
                    for other in told
                    if f" {piece} " in f" {other} " and (LONG if len(other.split()) >= 2 * LONG else SHORT) == size
                }
                if len(holders) < COMMON and f" {piece} " in row:
                    partial.add(index)
    return verbatim, partial - verbatim


texts = st.lists(st.sampled_from("ab"), min_size=1, max_size=36).map(" ".join)
lines = st.lists(st.lists(st.sampled_from("ab"), max_size=25).map(" ".join), min_size=1, max_size=3)


@given(st.lists(texts, min_size=1, max_size=4), st.lists(lines.map(lambda part: ["\n".join(part)]), max_size=4))
def test_it_finds_what_the_definition_says(inputs: list[str], rows: list[list[str]]) -> None:
    """Of two letters alone, so that pieces, inputs and rows meet all the time."""
    found = overlap(examples(*inputs), rows)
    assert (set(found.verbatim), set(found.partial)) == slow(inputs, rows)
    assert found.rows == len(rows)


@given(st.lists(st.text(max_size=80), min_size=1, max_size=3), st.lists(st.lists(st.text(max_size=200), max_size=3)))
def test_any_text_can_be_compared(inputs: list[str], rows: list[list[str]]) -> None:
    """Whatever strangers write, the answer is about examples there are, and no example is told of twice."""
    found = overlap(examples(*inputs), rows)
    assert found.verbatim | found.partial <= set(range(len(inputs)))
    assert not found.verbatim & found.partial


@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=4))
def test_a_row_that_is_the_input_holds_it(inputs: list[str]) -> None:
    """Every input of four words or more stands in itself."""
    found = overlap(examples(*inputs), [[text] for text in inputs])
    assert found.verbatim == {index for index, text in enumerate(inputs) if len(words(text)) >= FEWEST}


@pytest.mark.parametrize(
    "row",
    [
        ["which of the two brothers, who kept bees on the hill -- sold HIS honey to the abbot first"],
        ["Q: Which of the two brothers who kept bees on the hill sold his honey to the abbot first?\nA: the elder"],
        ["Which of the two brothers who kept bees on the hill", "sold his honey to the abbot first?", "the elder"],
        [QUESTION.replace(" ", "\n\t ").replace("W", "Ｗ")],
    ],
    ids=["punctuation and case", "within a prompt", "over several columns", "white space and wide letters"],
)
def test_an_input_is_found_however_it_is_written(row: list[str]) -> None:
    assert overlap(examples(QUESTION), [["other"], row]) == Overlap(2, frozenset({0}), frozenset())


def test_a_piece_is_no_whole_input() -> None:
    """Thirteen words of an input of 26 are a trace, twelve are not; of an input of nine words eight are."""
    told = [f"word{n}" for n in range(26)]
    assert overlap(examples(" ".join(told)), [[" ".join(told[:13])]]).partial == {0}
    assert overlap(examples(" ".join(told)), [[" ".join(told[:12])]]).partial == set()
    nine = "how do I top up my card by bank"
    assert overlap(examples(nine), [["please tell: how do I top up my card by cash"]]).partial == {0}


def test_a_short_input_has_to_be_a_line() -> None:
    """`my card is lost` within a longer sentence proves nothing."""
    short = examples("My card is lost!")
    assert overlap(short, [["Oh no, my card is lost again"]]).verbatim == set()
    assert overlap(short, [["11", "my card is lost"]]).verbatim == {0}
    assert overlap(short, [["text: \nMy card is lost\nlabel: card"]]).verbatim == {0}


def test_what_examples_have_in_common_is_no_trace() -> None:
    """A form of words that the task puts before every input stands in other rows of that form, too."""
    form = "Read the statement that follows with care and then say whether you think it true or not: "
    shots = examples(*(form + f"the {letter} is a {letter * 2}" for letter in "abcd"))
    assert overlap(shots, [[form + "the q is a qq"]]) == Overlap(1, frozenset(), frozenset())
    assert overlap(shots, [[form + "the b is a bb"]]).verbatim == {1}


def test_scripts_without_spaces_are_compared_letter_by_letter() -> None:
    """A Japanese sentence is no single word."""
    shot = "昨日の夕方に駅前の小さな店で青い傘を二本買いました"
    assert overlap(examples(shot), [[f"質問:{shot}。答え:"]]).verbatim == {0}
    assert overlap(examples(shot), [[shot[:15] + "赤い靴"]]).partial == {0}


def test_a_few_words_are_no_trace() -> None:
    """`Thank you!` stands in every dataset of chats."""
    assert overlap(examples("Thank you!"), [["thank you"]]).verbatim == set()


def test_equal_inputs_are_all_counted() -> None:
    assert overlap(examples(QUESTION, "other", QUESTION.upper()), [[QUESTION]]).verbatim == {0, 2}


HOSTILE = {
    "long": "a " * 5_000_000,
    "one word": "a" * 10_000_000,
    "lines": "\n" * 5_000_000,
    "short lines": "a\n" * 5_000_000,
    "control": "".join(map(chr, range(32))) * 100_000,
    "unfolding": "\ufdfa" * 1_000_000,
    "marks": "e" + "\u0301" * 1_000_000,
    "surrogates": "\ud800" * 1_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_row_costs_little(name: str) -> None:
    """Of a row only so much is read: it takes neither long nor much memory."""
    shots = examples(QUESTION, "a a a a", "a " * 8, "a " * 400)
    begun = time.monotonic()
    tracemalloc.start()
    overlap(shots, ([HOSTILE[name]] for _ in range(2)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100_000_000
    assert time.monotonic() - begun < 30


def test_memory_does_not_grow_with_the_rows() -> None:
    """Twenty thousand rows take what a hundred take."""

    def peak(count: int) -> int:
        shots = examples(QUESTION)
        tracemalloc.start()
        overlap(
            shots, ((f"row {number} of many, with words {number} of its own to read here",) for number in range(count))
        )
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(20_000) < peak(100) + 1_000_000  # held, they would take three


def test_words_hold_no_punctuation() -> None:
    assert words("Don't_stop; Straße №5!") == ("don", "t", "stop", "strasse", "no5")
    assert not re.search(r"\s", "".join(words(HOSTILE["control"][:1000])))
