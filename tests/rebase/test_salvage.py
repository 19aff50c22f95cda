"""The JSON object in a reply, whatever a teacher writes around it or does to it."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.rebase.salvage import LONGEST, salvage

KEYS = ("input", "output")
MADE = {"input": "how much?", "output": "fees"}
PLAIN = json.dumps(MADE)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        json.dumps(MADE, indent=2),
        f"```json\n{PLAIN}\n```",
        f"```\n{PLAIN}\n```\nI hope this helps!",
        f"Sure! Here's the example:\n\n{PLAIN}\n\nIt's about {{fees}}.",
        f"{PLAIN}\n\n{PLAIN}",
        '{"input": "how much?", "output": "fees",}',
        '{"input": "how much?",\n "output": "fees",\n}',
        "{'input': 'how much?', 'output': 'fees'}",
        "{'input': \"how much?\", 'output': 'fees',}",
        f'It is {{"topic": "fees"}}, so: {PLAIN}',
        f"The form {{input, output}} means: {PLAIN}",
    ],
)
def test_the_object_is_found(text: str) -> None:
    assert salvage(text, KEYS) == MADE


def test_line_breaks_within_a_text_are_taken() -> None:
    assert salvage('{"input": "a\nb", "output": "c"}', KEYS) == {"input": "a\nb", "output": "c"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no object",
        '{"input": "how much?", "output": "fe',
        '{"input": "how much?", "output": "fees"',
        f'{PLAIN} or {{"input": "how long?", "output": "fees"}}',
        '{"input": "a", "input": "b", "output": "c"}',
        '["input", "output"]',
        "{'input': __import__('os').getcwd(), 'output': 'x'}",
        "{'input': 'a' * 10**9, 'output': 'x'}",
        "{'input': [c for c in 'ab'], 'output': 'x'}",
        "{'input', 'output'}",
        "{1: 'a'}",
        "{'input': 'a', 'input': 'b', 'output': 'c'}",
        '{"input": NaN, "output": "x"}',
        "{'input': 1.2.3, 'output': 'x'}",
        "{'input': '\\N{no such name}', 'output': 'x'}",
        f"{PLAIN}{' ' * LONGEST}",
    ],
)
def test_what_is_cut_ambiguous_or_no_plain_object_is_none(text: str) -> None:
    assert salvage(text, KEYS) is None


@given(st.dictionaries(st.sampled_from(["input", "output", "rationale"]), TEXT, min_size=1), st.booleans())
def test_whatever_the_texts_hold_they_come_back(made: dict[str, str], python: bool) -> None:
    """Braces, quotes, commas before brackets, escapes: as JSON, in any fence, or as Python writes it."""
    text = repr(made) if python else json.dumps(made, ensure_ascii=len(made) > 1)
    for said in (text, f"```json\n{text}\n```", f"Here:\n{text}\nDone."):
        assert salvage(said, tuple(made)) == made


@given(TEXT, TEXT, st.data())
def test_a_reply_cut_anywhere_gives_nothing(first: str, second: str, data: st.DataObject) -> None:
    """A part of an object is no object."""
    text = json.dumps({"input": f"x{first}", "output": second}, ensure_ascii=False)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    assert (salvage(cut, KEYS) or {}).keys() != set(KEYS)


@given(st.text(st.sampled_from("{}[]\"'\\,: \n-a1T"), max_size=60))
def test_nothing_breaks_it(text: str) -> None:
    got = salvage(text, KEYS)
    assert got is None or isinstance(got, dict)


@pytest.mark.parametrize(
    "piece", ["{", '{"', "{'", '{"a":', "{'a':'", "[{", "{'a':-", "{'a': (", "{}", '{"a":"b",', "\\"]
)
def test_long_hostile_replies_take_no_time(piece: str) -> None:
    begun = time.monotonic()
    text = piece * (LONGEST // len(piece))
    assert salvage(text, KEYS) is None or piece == "{}"
    assert salvage(f"{{'input': {text[: LONGEST - 40]}, 'output': 'x'}}", KEYS) is None
    assert time.monotonic() - begun < 2
