"""Batches of rows of different lengths: as little padding as pays, and no more than memory holds."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import psutil
import torch
from accelerate.utils.memory import should_reduce_batch_size

from hubexpert.lm import Lm

MOST_TOKENS = {"cpu": 2048, "cuda": 32768}  # in a batch: more gains nothing, and on a CPU leaves its caches
COST_OF_A_BATCH = {"cpu": 32, "cuda": 1024}  # in tokens: what reading the weights once more costs
SHARE_OF_MEMORY = 0.25
T = TypeVar("T")


def tokens_at_once(lm: Lm) -> int:
    """How many padded tokens a batch may have: what a quarter of the free memory holds, and what still gains speed."""
    config = lm.model.config.get_text_config()
    worked = 24 * config.hidden_size + 2 * config.vocab_size
    held = SHARE_OF_MEMORY * _free(lm) / (4 * (_kept(lm) + worked))
    return int(min(MOST_TOKENS[kind_of_device(lm.device)], max(256, held)))


def rows_at_once(lm: Lm, length: int) -> int:
    """How many rows of that length a batch may have: a quarter of the free memory holds their keys and values.

    Also those of a shared beginning, which is read once, but copied for every row when the row's own are added.
    """
    return max(1, int(SHARE_OF_MEMORY * _free(lm) / (4 * _kept(lm) * length)))


def _kept(lm: Lm) -> int:
    """How many numbers a token's keys and values are, and their copies."""
    config = lm.model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    wide = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(4 * config.num_hidden_layers * heads * wide)


def _free(lm: Lm) -> int:
    """Bytes of memory that are free on the model's device."""
    on_gpu = kind_of_device(lm.device) == "cuda"
    return int(torch.cuda.mem_get_info(lm.device)[0] if on_gpu else psutil.virtual_memory().available)


def kind_of_device(device: torch.device) -> str:
    """`cuda` or `cpu`."""
    return "cuda" if device.type == "cuda" else "cpu"


def partition(lengths: Sequence[int], budget: int, cost: int, most_rows: int) -> list[list[int]]:
    """Indices in batches, longest first, so that padded tokens and `cost` a batch are the fewest in all.

    A batch has at most `budget` padded tokens and `most_rows` rows, or one row.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    best = [0.0] + [math.inf] * len(order)  # best[n]: the cost of the first n rows
    start = [0] * (len(order) + 1)
    for end in range(1, len(order) + 1):
        for begin in range(end):
            rows = end - begin
            padded = lengths[order[begin]] * rows
            if (rows == 1 or (padded <= budget and rows <= most_rows)) and best[begin] + padded + cost < best[end]:
                best[end], start[end] = best[begin] + padded + cost, begin
    cuts = [len(order)]
    while cuts[-1]:
        cuts.append(start[cuts[-1]])
    return [order[begin:end] for end, begin in zip(cuts[-2::-1], cuts[:0:-1], strict=True)]


def in_batches(
    lengths: Sequence[int], budget: int, cost: int, most_rows: int, work: Callable[[list[int]], T]
) -> Iterator[T]:
    """Work through all indices in batches; where memory runs out, in smaller ones."""
    left = partition(lengths, budget, cost, most_rows)
    while left:
        batch = left[0]
        try:
            found = work(batch)
        except RuntimeError as error:
            if len(batch) == 1 or not should_reduce_batch_size(error):
                raise
            rest = [index for batch in left for index in batch]
            budget = lengths[batch[0]] * (len(batch) // 2)
            left = [[rest[i] for i in b] for b in partition([lengths[i] for i in rest], budget, cost, most_rows)]
            continue
        left = left[1:]
        yield found
