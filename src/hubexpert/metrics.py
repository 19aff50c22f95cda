"""Metrics of one answer against the gold output: ours, and any `evaluate` metric by id or path.

Every metric here gives one value in [0, 1] an example, so that systems can be compared example by example.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from hubexpert.errors import HubExpertError
from hubexpert.records import Example

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
LETTER = re.compile(r"^\(?([A-Z])[).:]?(?:\s|$)")


def exact_match(answer: str, example: Example) -> float:
    """1 when the post-processed answer equals the gold output (Open Knowledge, eq. 5), else 0.

    With choices, an answer may name its choice by the text, or by its letter when the gold output is no bare letter
    itself. Without, only the first non-empty line counts, unless the gold output has several.
    """
    if example.choices:
        return float(_choice(answer, example.choices) == _normal(example.output))
    text = answer if "\n" in example.output else _first_line(answer)
    return float(_normal(text) == _normal(example.output))


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


def measure(metric: str, answers: Sequence[str], examples: Sequence[Example]) -> list[float]:
    """The metric's value of each answer; `metric` is one of ours, or an `evaluate` metric's id or path.

    Raises:
        HubExpertError: an `evaluate` metric cannot be loaded or gives no number.
    """
    if metric in OURS:
        return [OURS[metric](answer, example) for answer, example in zip(answers, examples, strict=True)]
    return _evaluate(metric, answers, examples)


def _evaluate(metric: str, answers: Sequence[str], examples: Sequence[Example]) -> list[float]:
    import evaluate

    try:
        loaded = evaluate.load(metric)
        rows = [
            loaded.compute(predictions=[answer.strip()], references=[example.output])
            for answer, example in zip(answers, examples, strict=True)
        ]
        return [float(next(iter(row.values()))) for row in rows]
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise HubExpertError(
            f"The metric `{metric}` cannot be used: {str(error).splitlines()[0][:200]}",
            fix=f"set `task.metric` to one of {', '.join(OURS)}, or to an `evaluate` metric on texts that loads here",
        ) from error


def _choice(answer: str, choices: Sequence[str]) -> str:
    """The normalised choice which the answer names: its whole first line, a letter, or the choice it begins with."""
    line, normal = _first_line(answer), [_normal(choice) for choice in choices]
    if _normal(line) in normal:
        return _normal(line)
    letter = LETTER.match(line)
    if letter and ord(letter[1]) - ord("A") < len(choices):
        return normal[ord(letter[1]) - ord("A")]
    begun = [choice for choice in normal if choice and f"{_normal(line)} ".startswith(f"{choice} ")]
    return max(begun, key=len, default=_normal(line))


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _normal(text: str) -> str:
    """Lower case, white space collapsed, punctuation around the text stripped; inside (JSON, code) it may matter."""
    stripped = text.strip().strip(string.whitespace + ".!?\"'`*:;,")
    return " ".join(stripped.lower().split())


def _last_number(text: str) -> float | None:
    found = NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None
