"""`python -m tests.embed.hashed FOLDER`: embeds `COUNT` texts slowly, by their hashes, to be killed at it."""

import hashlib
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from hubexpert.embed.encoder import Encoder, Floats
from hubexpert.embed.vectors import CHUNK, embedded

COUNT = 6 * CHUNK + 100
ENCODER = Encoder("none", ("none", "0", 4), 4, None)  # its identity counts, and nothing else here


def texts() -> Iterator[str]:
    return (f"text {number}" for number in range(COUNT))


def hashed(chunk: list[str]) -> Floats:
    digests = b"".join(hashlib.sha256(text.encode()).digest()[:4] for text in chunk)
    return np.frombuffer(digests, np.uint8).reshape(-1, 4).astype(np.float32)


def _slowly(chunks: Iterable[list[str]]) -> Iterator[Floats]:
    for chunk in chunks:
        time.sleep(0.2)
        yield hashed(chunk)


if __name__ == "__main__":
    embedded(Path(sys.argv[1]), "key", texts, COUNT, ENCODER, vectorise=_slowly, quiet=True)
