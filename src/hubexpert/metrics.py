"""Our metrics of one answer against the gold output.

Each gives one value in [0, 1] an example, higher is better, so that systems can be compared example by
example.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from hubexpert.records import Example

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
LETTER = re.compile(r"\(?([A-Z])(?:[).:]|$)")


def exact_match(answer: str, example: Example) -> float:
    """1 when the post-processed answer equals the gold output (Open Knowledge, eq. 5), else 0.

    With choices, answer and gold output may name a choice by its text, by beginning with it, or by its letter.
    """
    if example.choices:
        return float(_choice(answer, example.choices) == _choice(example.output, example.choices))
    return float(_normal(answer) == _normal(example.output))


def names_choice(text: str, choices: Sequence[str]) -> bool:
    """Whether the text names one of the choices."""
    return _choice(text, choices) in map(_normal, choices)


def number(answer: str, example: Example) -> float:
    """1 when the last number in the answer equals the last number in the gold output, else 0."""
    given, gold = _last_number(answer), _last_number(example.output)
    return float(gold is not None and given == gold)


def f1(answer: str, example: Example) -> float:
    """Token F1 of the normalised answer against the gold output, as in SQuAD."""
    given, gold = _normal(answer).split(), _normal(example.output).split()
    shared = sum((Counter(given) & Counter(gold)).values())
    return 2 * shared / (len(given) + len(gold)) if shared else float(given == gold)


OURS: dict[str, Callable[[str, Example], float]] = {"exact_match": exact_match, "number": number, "f1": f1}


def _choice(answer: str, choices: Sequence[str]) -> str:
    """The normalised choice which the answer names: by its text, by a letter, or by beginning with it."""
    text, normal = _normal(answer), [_normal(choice) for choice in choices]
    if text in normal:
        return text
    letter = LETTER.match(answer.strip())
    if letter and ord(letter[1]) - ord("A") < len(choices):
        return normal[ord(letter[1]) - ord("A")]
    begun = [choice for choice in normal if choice and f"{text} ".startswith(f"{choice} ")]
    return max(begun, key=len, default=text)


def _normal(text: str) -> str:
    """Lower case, white space collapsed, punctuation around the text stripped; inside (JSON, code) it may matter."""
    stripped = text.strip().strip(string.whitespace + ".!?\"'`*:;,")
    return " ".join(stripped.lower().split())


def _last_number(text: str) -> float | None:
    found = NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None
