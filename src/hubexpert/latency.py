"""How long a system takes to answer, as a ratio to the base beneath it."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from statistics import median
from typing import Any

from hubexpert.lm import Lm, continuations

ROUNDS, PROMPTS, TOKENS = 3, 4, 8


def latency(
    model: Lm,
    without: Callable[[], AbstractContextManager[Any]],
    prompts: Sequence[Sequence[int]],
) -> float:
    """Seconds of the system over seconds of the base for the same few greedy answers, the median of three rounds.

    Both answer in turns, so that what else the machine does meets both; the first round warms up and does not count.
    Four prompts at most in one batch, at most 8 tokens an answer.

    Args:
        model: the system.
        without: within this block `model` is the base.
        prompts: what both are asked, as token ids.
    """
    ratios = []
    for _ in range(ROUNDS + 1):
        system = _seconds(model, prompts[:PROMPTS])
        with without():
            ratios.append(system / _seconds(model, prompts[:PROMPTS]))
    return round(median(ratios[1:]), 3)


def _seconds(model: Lm, prompts: Sequence[Sequence[int]]) -> float:
    begun = time.perf_counter()
    continuations(model, prompts, max_new_tokens=TOKENS)
    return time.perf_counter() - begun
