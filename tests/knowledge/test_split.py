"""Texts cut into passages."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.knowledge.split import LONGEST, WORD, one_line, split

SIZES = st.integers(8, 30).flatmap(lambda words: st.tuples(st.just(words), st.integers(0, words - 1)))
PIECES = st.sampled_from(["a", "bc.", "d?", "(e)", "\n", "\t", "水", "。", "ไ", "f" * 100, "!" * 50, "\x00"])
TEXTS = st.lists(PIECES, max_size=150)


def words_of(text: str) -> list[str]:
    return [match.group() for match in WORD.finditer(text)]


@given(TEXTS.map(" ".join) | TEXTS.map("".join), SIZES)
def test_passages_hold_every_word_in_order_and_overlap_by_so_many(text: str, sizes: tuple[int, int]) -> None:
    """Without the words that a passage shares with the one before it, they are the text."""
    words, overlap = sizes
    passages = [words_of(passage) for passage in split(text, words, overlap)]
    assert all(0 < len(passage) <= words for passage in passages)
    assert all(len(word) <= LONGEST + 1 for passage in passages for word in passage)
    for one, other in pairwise(passages):
        assert one[len(one) - overlap :] == other[:overlap] and len(other) > overlap
    joined = [word for place, passage in enumerate(passages) for word in passage[overlap if place else 0 :]]
    assert joined == words_of(one_line(text))


@given(st.text(max_size=300), SIZES)
def test_a_passage_is_one_line_that_can_be_written(text: str, sizes: tuple[int, int]) -> None:
    for passage in split(text, *sizes):
        assert passage.encode().decode() == passage == " ".join(passage.split())
        assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in passage)


def test_a_short_text_is_one_passage_and_white_space_none() -> None:
    assert split(" Two\n words. \x07", 8, 2) == ["Two words."]
    assert split(" \n\t\x00\u2028", 8, 2) == [] == split("", 8, 2)


def test_a_passage_ends_with_a_sentence_that_ends_in_its_last_quarter() -> None:
    numbers = [f"w{n}" for n in range(30)]
    numbers[9] += '."'
    assert [passage.split()[-1] for passage in split(" ".join(numbers), 12, 2)] == ['w9."', "w19", "w29"]
    numbers[9], numbers[7] = "w9", "w7."  # so early it does not count
    assert split(" ".join(numbers), 12, 2)[0].split()[-1] == "w11"


def test_a_wide_overlap_still_goes_on() -> None:
    assert len(split("a. " * 20, 8, 7)) == 13


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("水曜日は雨でした。木曜日も。", "水曜日は雨でした。"),
        ("ที่นี่ไม่มีใครอยู่", "ที่นี่ไม่มีใคร"),
    ],
)  # fmt: skip
def test_letters_of_scripts_without_spaces_count_as_words(text: str, first: str) -> None:
    """Japanese is cut behind a full stop; Thai never between a letter and its marks."""
    passages = split(text, 8, 0)
    assert passages[0] == first and "".join(passages) == text


def test_what_hides_or_turns_writing_around_is_gone() -> None:
    assert split("safe\u202eevil\ufeff \ud800x", 8, 0) == ["safe evil x"]
