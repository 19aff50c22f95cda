"""Embeds chunks of texts over the GPUs or machines of a Ray cluster: an encoder a worker, the vectors in order."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import Any

from hubexpert.cluster import RETRIES, connected, result, size
from hubexpert.embed.encoder import Encoder, Floats, encode, load_encoder
from hubexpert.embed.vectors import Vectorise

AHEAD = 2  # chunks for each worker that are read and under way


def on_cluster(encoder: Encoder, *, workers: int | None = None) -> Vectorise:
    """Embeds as `encoder` does, up to rounding, on workers that each load it by its name.

    A worker that dies is started again, and its chunk is done once more.

    Args:
        encoder: on the Hub, or in a folder or package that every machine of the cluster has.
        workers: how many; by default one a GPU, or one a CPU where there are none.

    Raises:
        HubExpertError: Ray is not installed, or its cluster cannot be reached.
    """
    ray = connected()
    count, gpus = size(ray, workers)

    def vectorise(chunks: Iterable[list[str]]) -> Iterator[Floats]:
        remote = ray.remote(num_gpus=1 if gpus else 0, num_cpus=1, max_restarts=-1, max_task_retries=RETRIES)(_Worker)
        there = [remote.remote(encoder.name) for _ in range(count)]
        under_way: deque[Any] = deque()
        try:
            for chunk, worker in zip(chunks, cycle(there), strict=False):
                under_way.append(worker.encode.remote(chunk))
                if len(under_way) >= AHEAD * count:
                    yield result(ray, under_way.popleft())
            while under_way:
                yield result(ray, under_way.popleft())
        finally:
            for worker in there:
                ray.kill(worker)

    return vectorise


class _Worker:
    """One encoder, loaded once, on one worker."""

    def __init__(self, name: str) -> None:
        self.encoder = load_encoder(name)

    def encode(self, texts: list[str]) -> Floats:
        """The vectors of these texts."""
        return encode(self.encoder, texts)
