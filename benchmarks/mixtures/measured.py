"""What is measured of a system: the time of reading prompts and of generating, and the memory of a forward."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

Work = Callable[[], Any]


def prefill(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """The last logits [batch, vocabulary] of the prompts [batch, tokens], read as `generate` reads them."""
    logits: torch.Tensor = model(input_ids=ids, logits_to_keep=1).logits[:, -1]
    return logits


def decode(model: Any, ids: torch.Tensor, count: int) -> torch.Tensor:
    """The greedy continuation of the prompts by exactly `count` tokens, with each library's own `generate`."""
    made: torch.Tensor = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        min_new_tokens=count,
        max_new_tokens=count,
        pad_token_id=0,
    )
    return made


def rounds(
    works: Mapping[str, Work], count: int, few: Mapping[str, int], clock: Callable[[], float]
) -> list[dict[str, float]]:
    """Seconds of each system, round by round: all systems once a round, each round beginning with another one.

    Args:
        works: name -> what is timed.
        count: of rounds.
        few: name -> in how many rounds a slow system takes part.
        clock: seconds so far.
    """
    names, told = list(works), list[dict[str, float]]()
    for number in range(count):
        start = number % len(names)
        seconds: dict[str, float] = {}
        for name in names[start:] + names[:start]:
            if number < few.get(name, count):
                begun = clock()
                works[name]()
                seconds[name] = clock() - begun
        told.append(seconds)
    return told


def ratio(told: list[dict[str, float]], first: str, second: str) -> tuple[float, float, float]:
    """The median over rounds of first / second, with the least and the largest."""
    found = [seconds[first] / seconds[second] for seconds in told if first in seconds and second in seconds]
    return median(found), min(found), max(found)


def clock_of(device: torch.device, threads: int) -> tuple[Callable[[], float], str]:
    """The clock that other work on the machine disturbs least, and what it counts."""
    if device.type == "cuda":
        return _after_the_device, "wall time"
    return (time.process_time, "CPU time") if threads == 1 else (time.perf_counter, "wall time")


def _after_the_device() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def peak(work: Work, device: torch.device) -> int:
    """The largest number of bytes that tensors made by `work` hold at one time."""
    if device.type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        work()
        return int(torch.cuda.max_memory_allocated() - before)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    held = most = 0
    for event in sorted(seen.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most
