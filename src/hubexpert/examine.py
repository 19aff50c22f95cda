"""How well a model does on examples: the metric's value and the gold output's likelihood, example by example."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from hubexpert.lm import Encoded, Lm, encode
from hubexpert.measure import measure
from hubexpert.metrics import LIKELIHOOD, choose, decided, exact_match
from hubexpert.reading import ALONE, Lanes, read
from hubexpert.reading.choices import choice_nlls
from hubexpert.records import Example

SPARE_TOKENS = 8
NEUTRAL = "N/A"  # the input that says nothing, for the choices' priors


@dataclass(frozen=True)
class Answers:
    """What one model did on examples: the metric's values and the gold outputs' mean token NLL (nats), one each."""

    values: tuple[float, ...]
    nlls: tuple[float, ...]

    @property
    def perplexity(self) -> float:
        """Mean over examples of exp(mean token NLL): Open Knowledge, eq. 2-4, with the 1/|ŷ| its code has."""
        return perplexity(self.nlls)


def perplexity(nlls: Sequence[float]) -> float:
    """The mean of exp(NLL) over examples, from mean token NLLs (nats)."""
    return fmean(math.exp(min(nll, 700.0)) for nll in nlls)


def expanded(example: Example) -> str:
    """The gold output with its rationale, answer first (Open Knowledge, 3.1); the bare output where there is none.

    Of an example that is `reasoned` the rationale stands first (KARD, 3.1).
    """
    if example.reasoned:
        return example.reply
    return f"{example.output}\n{example.rationale}" if example.rationale else example.output


def answer_length(tokenizer: Any, examples: Sequence[Example]) -> int:
    """How many tokens an answer may have: the longest of the examples' and some to spare."""
    return max(len(tokenizer(example.reply, add_special_tokens=False).input_ids) for example in examples) + SPARE_TOKENS


def examine(
    model: Lm,
    examples: Sequence[Example],
    metric: str,
    *,
    max_new_tokens: int,
    lanes: Lanes = ALONE,
    shots: Sequence[Example] = (),
) -> list[Answers]:
    """Every lane's answers to the examples: greedily given, or chosen by likelihood, and the gold outputs weighed.

    `shots` stand before every example in the prompt (`baselines.in_context` says how many fit).
    """
    encoded = [encode(model.tokenizer, example, expanded(example), shots) for example in examples]
    if metric == LIKELIHOOD:
        told = read(model, encoded, max_new_tokens=0, lanes=lanes)
        values = _chosen(model, examples, lanes, shots)
    else:
        enough = lambda index, text: decided(metric, text, examples[index])  # noqa: E731
        told = read(model, encoded, max_new_tokens=max_new_tokens, enough=enough, lanes=lanes)
        values = [measure(metric, [reading.text for reading in readings], examples) for readings in told]
    return [
        Answers(tuple(found), tuple(reading.nll for reading in readings))
        for found, readings in zip(values, told, strict=True)
    ]


def _chosen(model: Lm, examples: Sequence[Example], lanes: Lanes, shots: Sequence[Example]) -> list[list[float]]:
    """1 where the likeliest choice, calibrated by an input that says nothing, is the gold one, else 0."""
    asked = [_asked(model, example, shots) for example in examples]
    neutral = [_asked(model, e.model_copy(update={"input": NEUTRAL}), shots) for e in examples]
    return [
        [exact_match(e.choices[choice], e) for e, choice in zip(examples, picked, strict=True)]
        for picked in likeliest(model, asked, neutral, lanes=lanes)
    ]


def likeliest(
    model: Lm, asked: Sequence[Sequence[Encoded]], neutral: Sequence[tuple[Encoded, ...]], *, lanes: Lanes = ALONE
) -> list[list[int]]:
    """The place of each example's likeliest choice, by every lane, calibrated: [lanes][examples].

    Args:
        model: the model.
        asked: per example its choices, each as the answer to its prompt.
        neutral: the same where the input says nothing.
        lanes: the adapters on the model.
    """
    different = list(dict.fromkeys(neutral))  # examples with the same choices have the same priors
    told, priors = (choice_nlls(model, rows, lanes=lanes) for rows in (asked, different))
    found = []
    for nlls, prior in zip(told, priors, strict=True):
        prior_of = dict(zip(different, prior, strict=True))
        found.append([choose(each, prior_of[key]) for each, key in zip(nlls, neutral, strict=True)])
    return found


def _asked(model: Lm, example: Example, shots: Sequence[Example]) -> tuple[Encoded, ...]:
    """Every choice as the answer to the example's prompt."""
    return tuple(encode(model.tokenizer, example, choice, shots) for choice in example.choices)
