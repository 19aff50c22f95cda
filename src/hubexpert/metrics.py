"""Our metrics of one answer against the gold output.

Each gives one value in [0, 1] an example, higher is better, so that systems can be compared example by
example.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence

from hubexpert.answers.choices import NONE, named
from hubexpert.answers.match import matches, part_that_counts, settled
from hubexpert.answers.normal import PUNCTUATION, UNFINISHED, normal
from hubexpert.answers.numbers import last_number
from hubexpert.records import ANSWER, Example

LIKELIHOOD = "choice"


def exact_match(answer: str, example: Example) -> float:
    """1 when the post-processed answer is the gold output (Open Knowledge, eq. 5), else 0."""
    return float(matches(answer, example))


def number(answer: str, example: Example) -> float:
    """1 when the last number in the answer equals the last number in the gold output, else 0."""
    given, gold = last_number(counted(answer, example)), last_number(example.output)
    return float(gold is not None and given == gold)


def f1(answer: str, example: Example) -> float:
    """Token F1 of the normalised answer against the gold output, as in SQuAD, but with articles."""
    given, gold = _words(counted(answer, example)), _words(example.output)
    shared = sum((Counter(given) & Counter(gold)).values())
    return 2 * shared / (len(given) + len(gold)) if shared else float(given == gold)


# The answer that `choice` measures is the text of the choice which the likelihoods chose.
OURS: dict[str, Callable[[str, Example], float]] = {
    "exact_match": exact_match,
    LIKELIHOOD: exact_match,
    "number": number,
    "f1": f1,
}
BINARY = ("exact_match", LIKELIHOOD, "number")  # 0 or 1 an example


def counted(answer: str, example: Example) -> str:
    """The part of an answer that counts: the first line, or the JSON, or all, by what the gold output is."""
    return part_that_counts(answer, example)[0]


def decided(metric: str, partial: str, example: Example) -> bool:
    """Whether no continuation of the partial answer changes the metric's value; False where that is not certain.

    The value is then that of the partial answer. Characters which a decoder could not finish yet (U+FFFD at the end)
    count as not there. `metric` is one of ours or any other; with another the part that counts must have ended.
    """
    if example.reasoned and ANSWER not in partial:
        return False
    if OURS.get(metric) is exact_match:
        return settled(partial, example)
    return part_that_counts(partial.rstrip(UNFINISHED), example)[1]


def choose(nlls: Sequence[float], priors: Sequence[float]) -> int:
    """The index of the choice which the prompt makes the most likely: PMI-DC (arXiv 2104.08315).

    argmax of log P(choice | prompt) - log P(choice | prompt without content): how common a choice is in itself does
    not count (calibrated as in arXiv 2102.09690). Of equals the first.

    Args:
        nlls: each choice's NLL (nats, summed over its tokens) given the prompt.
        priors: the same given a prompt without content.

    Raises:
        ValueError: no choices, or not one prior a choice.
    """
    differences = [nll - prior for nll, prior in zip(nlls, priors, strict=True)]
    return min(range(len(differences)), key=lambda index: _or_infinite(differences[index]))


def names_choice(text: str, choices: Sequence[str]) -> bool:
    """Whether the text names one of the choices."""
    return named(text, choices) != {NONE}


def _or_infinite(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _words(text: str) -> list[str]:
    words = (word.strip(PUNCTUATION) for word in normal(text).split())
    return [word for word in words if word]
