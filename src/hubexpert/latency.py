"""How long a system takes to answer, as a ratio to the base beneath it."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from statistics import median
from typing import Any

import torch

from hubexpert.lm import Lm, left_padded

ROUNDS, PROMPTS, TOKENS = 3, 4, 8


def latency(
    model: Lm,
    without: Callable[[], AbstractContextManager[Any]],
    prompts: Sequence[Sequence[int]],
) -> float:
    """Seconds of the system over seconds of the base for answers of one length, the median of three rounds.

    Both answer in turns, so that what else the machine does meets both; the first round warms up and does not count.
    Four prompts at most in one batch, and 8 tokens each, whatever they are: an answer that ends early is no merit here.

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
    inputs = left_padded(prompts, model.tokenizer.pad_token_id, model.device)
    del inputs["position_ids"]  # generate derives them from the mask
    begun = time.perf_counter()
    with torch.inference_mode():
        model.model.generate(**inputs, do_sample=False, min_new_tokens=TOKENS, max_new_tokens=TOKENS, num_beams=1)
    return time.perf_counter() - begun
