"""Measures adapters over the GPUs or machines of a Ray cluster: one base a worker, the journal in one place.

Each worker asks the Hub for itself, with the token of its own machine: none is sent.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hubexpert.cluster import RETRIES, connected, result, size
from hubexpert.experts.engine import Engine, Work, lanes_for, on_this_machine
from hubexpert.experts.ledger import Outcome
from hubexpert.lm import load_lm, load_tokenizer, precision
from hubexpert.recipe import Quantization
from hubexpert.records import Source


def on_cluster(
    base: Source | Path,
    source: Source,
    *,
    quantize: Quantization | None = None,
    disk: int | None = None,
    workers: int | None = None,
) -> Engine:
    """An engine on a Ray cluster: the one `RAY_ADDRESS` names, or one that is started on this machine.

    Works go to whichever worker is free; a worker that dies is started again, and its work is done once more.

    Args:
        base: what workers load, a folder or the base at its commit.
        source: the base's source.
        quantize: how workers load it.
        disk: as of the engine on this machine, for each worker.
        workers: how many; by default one a GPU, or one a CPU where there are none.

    Raises:
        HubExpertError: Ray is not installed, or its cluster cannot be reached.
    """
    tokenizer, ray = load_tokenizer(base), connected()
    count, gpus = size(ray, workers)

    def measure(works: Sequence[Work]) -> Iterator[tuple[Work, list[Outcome]]]:
        remote = ray.remote(num_gpus=1 if gpus else 0, num_cpus=1, max_restarts=-1, max_task_retries=RETRIES)(_Worker)
        idle = [remote.remote(base, source, quantize, disk) for _ in range(min(count, len(works)))]
        waiting = list(works)
        busy: dict[Any, tuple[Any, Work]] = {}
        try:
            while waiting or busy:
                while waiting and idle:
                    worker, work = idle.pop(), waiting.pop(0)
                    busy[worker.measure.remote(work)] = (worker, work)
                for done in ray.wait(list(busy), num_returns=1)[0]:
                    worker, work = busy.pop(done)
                    idle.append(worker)
                    yield work, result(ray, done)
        finally:
            for worker in [*idle, *(worker for worker, _ in busy.values())]:
                ray.kill(worker)

    kind = "cuda" if gpus else "cpu"
    return Engine(precision(kind, quantize), lambda shots: lanes_for(tokenizer, shots, kind), measure)


class _Worker:
    """One base, loaded once, on one worker."""

    def __init__(self, base: Source | Path, source: Source, quantize: Quantization | None, disk: int | None) -> None:
        self.engine = on_this_machine(load_lm(base, quantize=quantize), source, quantize=quantize, disk=disk)

    def measure(self, work: Work) -> list[Outcome]:
        """What the adapters of this work did."""
        return [outcome for _, outcomes in self.engine.measure([work]) for outcome in outcomes]
