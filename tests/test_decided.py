"""An answer is judged while it is being written, and what is decided stays."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import example as also
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.answers.normal import _is_apart, folded, stable
from hubexpert.metrics import OURS, decided
from hubexpert.records import Example

WORDS = ("moon", "the moon", "a", "A", "I", "B", "b", "(B)", "dog", "not spam", "spam", "yes", "no", "true", "False")
MORE = (
    "c++",
    "c",
    "C#",
    "7",
    "7.5",
    "70",
    "1,000",
    "-2",
    "Ａ",
    "straße",
    "é",
    "ｅ",
    "月",
    "*",
    "it is",
    "answer",
    "ﬁt",
)
LEADS = (
    "The answer is",
    "Answer:",
    "so, it is ",
    "answer",
    "It's",
    "the correct answer is ",
    "Here is the JSON:",
    "```json",
)
BITS = (
    " ",
    "  ",
    "\n",
    "\r",
    ".",
    ",",
    ":",
    "'",
    "’",
    "**",
    "(",
    ")",
    "ly",
    "t",
    "0",
    "00",
    "%",
    "$",
    "=",
    "-",
    " because",
    "- ",
    "-\n",
    "kg",
)
ODD = (
    "\u0301",
    "\u0327",
    "\u0338",
    "\u0345",
    "\u1161",
    "\u11a8",
    "\u09be",
    "\u3099",
    "\u00a0",
    "\u2028",
    "\x1c",
    "\ufffd",
    "´",
    "İ",
    "ß",
    "ſ",
)
JSONS = ('{"a": "x"}', '{"a":', '"b": 1', "{", "}", "[", "]", '"', "\\", ",", "\\u0301", "1.0", "null", "true", '{"a"')
PIECES = st.sampled_from((*WORDS, *MORE, *LEADS, *BITS, *ODD, *JSONS)) | st.text(max_size=3)
TEXTS = st.sampled_from((*WORDS, *MORE)) | st.lists(PIECES, min_size=1, max_size=3).map("".join)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 1200) | st.sampled_from((0.5, 7.0)) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("a", "b", "cé")), inner, max_size=3),
    max_leaves=5,
)
structures = st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(("a", "b", "cé")), values, max_size=3)


@st.composite
def examples(draw: st.DrawFn) -> tuple[Example, list[str]]:
    """An example of any kind, and texts which resemble its gold output."""
    kind = draw(st.sampled_from(("choices", "letters", "truth", "structure", "number", "text", "lines")))
    choices: tuple[str, ...] = ()
    gold: Any
    like: list[str] = []
    if kind == "choices":
        choices = tuple(draw(st.lists(TEXTS, min_size=1, max_size=4)))
        gold = draw(st.sampled_from((*choices, *"ABCD"[: len(choices)])))
        like = [*choices, "A", "(B)", "C.", "d)"]
    elif kind == "letters":
        choices = draw(
            st.sampled_from((("(A)", "(B)"), ("B", "A"), ("yes", "no"), ("false", "true"), ("A.", "B.", "C.")))
        )
        gold = draw(st.sampled_from(choices))
        like = [*choices, "A", "yes", "false"]
    elif kind == "truth":
        gold = draw(st.sampled_from(("yes", "No", "TRUE", "false.")))
        like = ["yes", "no", "true", "false"]
    elif kind == "structure":
        value = draw(structures)
        gold = json.dumps(value)
        turned = dict(reversed(value.items())) if isinstance(value, dict) else value
        like = [gold, json.dumps(turned, ensure_ascii=False, indent=draw(st.sampled_from((None, 1))))]
        like.append(gold.replace("{", '{"a": 0, ', 1))  # a key twice
    elif kind == "number":
        gold = draw(st.sampled_from(("24", "-2.5", "1,000", "$3.50", "0", "600000", "7%", ".5")))
        like = ["24", "2.5", "1000", "1,000.0", "3.5", "0", "600,000", "7", "0.5", "−2.50"]
    else:
        gold = draw(TEXTS)
        if kind == "lines":
            gold += f"\n{draw(TEXTS)}"
    return Example(input="q", output=gold, choices=choices, reasoned=draw(st.booleans())), [
        gold,
        gold.upper(),
        unicodedata.normalize("NFD", gold),
        *like,
    ]


@st.composite
def answers(draw: st.DrawFn) -> tuple[Example, str]:
    """An example, and an answer made of what resembles its gold output and of other pieces."""
    example, like = draw(examples())
    parts = draw(st.lists(st.sampled_from(like) | PIECES, min_size=1, max_size=5))
    before = draw(st.sampled_from(("", "", "because\nAnswer: ")))
    return example, before + draw(st.sampled_from(("", "\n", "The answer is ", "Answer: ", "- "))) + "".join(parts)


@settings(max_examples=400, deadline=None)
@given(answers(), st.sampled_from(sorted(OURS)))
@also((Example(input="q", output="yes"), "truely"), "exact_match")
@also((Example(input="q", output="é"), "e\u0301"), "exact_match")
@also((Example(input="q", output="B", choices=("cat", "a dog")), "The answer is a dog"), "choice")
@also((Example(input="q", output='{"a": "é"}'), '{"a": "e\\u0301"}'), "exact_match")
def test_what_is_decided_stays(case: tuple[Example, str], metric: str) -> None:
    """A beginning of an answer that is decided has the value of the answer, whatever came after it."""
    example, answer = case
    value = OURS[metric](answer, example)
    for length in range(len(answer) + 1):
        partial = answer[:length]
        if decided(metric, partial, example):
            assert OURS[metric](partial, example) == value, partial
        if decided(metric, f"{partial}\ufffd", example):
            assert OURS[metric](f"{partial}\ufffd", example) == value, partial


@pytest.mark.parametrize("before", ["e", "é", "가", "ক", "か", "α", "x\u0301", "ﬁ"])
def test_what_stands_apart_never_combines_with_what_is_before_it(before: str) -> None:
    """Every character of which this is assumed, in this Python's version of Unicode."""
    apart = [chr(code) for code in range(0x10000) if _is_apart(chr(code))]
    assert len(apart) > 30_000
    for character in apart:
        both = unicodedata.normalize("NFKC", before + character)
        assert both == unicodedata.normalize("NFKC", before) + unicodedata.normalize("NFKC", character)
        assert folded(both) == folded(unicodedata.normalize("NFKC", before)) + folded(character)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=6) | st.lists(PIECES, max_size=4).map("".join), st.lists(PIECES, max_size=3).map("".join))
def test_the_stable_part_begins_every_continuation(partial: str, rest: str) -> None:
    """After NFKC too."""
    whole = unicodedata.normalize("NFKC", partial + rest)
    assert whole.startswith(unicodedata.normalize("NFKC", stable(partial)))
