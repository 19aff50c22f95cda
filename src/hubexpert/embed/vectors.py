"""Vectors on disk: the texts of a dataset are embedded once, chunk by chunk, and read through a memory map."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from hubexpert.embed.encoder import Encoder, Floats, encode
from hubexpert.progress import track
from hubexpert.workspace import fingerprint

# Texts that are read, sorted by length, embedded and forced to disk together: fewer are padded more (1024: 5 % more
# tokens than sorting all of 8192 texts of very different lengths, 2048: 2 %), more are lost to a kill.
CHUNK = 2048
TOGETHER = 256  # texts of like length between two steps of the progress

Vectorise = Callable[[Iterable[list[str]]], Iterator[Floats]]  # chunks of texts -> their vectors, in that order


def embedded(
    folder: Path,
    key: str,
    texts: Callable[[], Iterable[str]],
    count: int,
    encoder: Encoder,
    *,
    vectorise: Vectorise | None = None,
    quiet: bool = False,
) -> Floats:
    """The vectors of all texts `[count, dimensions]`, a memory map; made where they are not on disk yet.

    A process killed at any time loses the chunk in hand, and the next one goes on behind the last that is whole.

    Args:
        folder: where they lie; one process at a time writes there.
        key: a part of a file's name that differs wherever the texts differ.
        texts: called to read the texts, always the same ones in the same order; they are never all in memory.
        count: how many texts there are.
        encoder: its identity is the other part of the file's name.
        vectorise: embeds elsewhere (`on_cluster`); by default the encoder does here.
        quiet: show no progress.

    Raises:
        ValueError: there are more or fewer texts.
        HubExpertError: the encoder makes vectors that are no numbers.
    """
    whole = folder / f"{key}-{fingerprint(encoder.identity)[:16]}.f32"
    size = count * encoder.dimensions * 4
    if not whole.is_file() or whole.stat().st_size != size:
        folder.mkdir(parents=True, exist_ok=True)
        _write(whole, texts, count, encoder, vectorise, quiet)
    if not count:  # nothing to map
        return np.empty((0, encoder.dimensions), np.float32)
    return np.memmap(whole, np.float32, mode="r", shape=(count, encoder.dimensions))


def _write(
    whole: Path,
    texts: Callable[[], Iterable[str]],
    count: int,
    encoder: Encoder,
    vectorise: Vectorise | None,
    quiet: bool,
) -> None:
    """Fill the file `whole`, under another name until all is there."""
    partial, row = whole.with_suffix(".part"), encoder.dimensions * 4
    with partial.open("ab") as file:
        done = file.tell() // (row * CHUNK) * CHUNK
        file.truncate(done * row)  # a chunk cut short
        chunks = _chunks(islice(texts(), done, None))
        left = math.ceil((count - done) / CHUNK)
        if vectorise is None:
            made = _here(encoder, chunks, count - done, quiet)
        else:
            made = track(vectorise(chunks), f"embedding, {CHUNK} texts at a time", total=left, quiet=quiet)
        for vectors in made:
            file.write(vectors.tobytes())
            file.flush()
            os.fsync(file.fileno())
            done += len(vectors)
    if done != count:
        partial.unlink()
        raise ValueError(f"{done} texts were embedded where {count} were announced")
    partial.replace(whole)


def _here(encoder: Encoder, chunks: Iterable[list[str]], count: int, quiet: bool) -> Iterator[Floats]:
    """The vectors of each chunk; the progress is told by texts, of `count`."""
    steps = track(range(count + 1), "embedding texts", total=count, quiet=quiet)
    next(steps)
    for chunk in chunks:
        vectors = np.empty((len(chunk), encoder.dimensions), np.float32)
        order = sorted(range(len(chunk)), key=lambda at: -len(chunk[at]))
        for begin in range(0, len(chunk), TOGETHER):
            some = order[begin : begin + TOGETHER]
            vectors[some] = encode(encoder, [chunk[at] for at in some])
            for _ in some:
                next(steps, None)
        yield vectors


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    texts = iter(texts)
    while chunk := list(islice(texts, CHUNK)):
        yield chunk
