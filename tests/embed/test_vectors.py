"""Vectors on disk: made once, kept through a kill, and the same wherever they are made."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import pytest

from hubexpert.embed.cluster import on_cluster
from hubexpert.embed.encoder import Encoder, Floats, encode
from hubexpert.embed.vectors import CHUNK, embedded
from tests.embed.hashed import COUNT, ENCODER, hashed, texts

ROW = 4 * ENCODER.dimensions  # bytes


def refuse(chunks: Iterable[list[str]]) -> Iterator[Floats]:
    raise AssertionError("nothing is left to embed")


def test_a_killed_process_loses_one_chunk_at_most(tmp_path: Path) -> None:
    """What it left goes on behind the last whole chunk, and ends as if nothing had happened."""
    process = subprocess.Popen([sys.executable, "-m", "tests.embed.hashed", str(tmp_path)])
    end = time.monotonic() + 60
    while not (left := list(tmp_path.glob("*.part"))) or left[0].stat().st_size < 3 * CHUNK * ROW:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end, "it never got there"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    whole = left[0].stat().st_size // (CHUNK * ROW)
    with left[0].open("ab") as file:
        file.write(b"\x07" * (ROW + 3))  # what a kill in the middle of a chunk leaves
    seen: list[str] = []

    def watched(chunks: Iterable[list[str]]) -> Iterator[Floats]:
        for chunk in chunks:
            seen.extend(chunk)
            yield hashed(chunk)

    vectors = embedded(tmp_path, "key", texts, COUNT, ENCODER, vectorise=watched, quiet=True)
    assert whole >= 3
    assert seen == list(islice(texts(), whole * CHUNK, None))
    np.testing.assert_array_equal(vectors, hashed(list(texts())))
    assert [path.suffix for path in tmp_path.iterdir()] == [".f32"]
    again = embedded(tmp_path, "key", texts, COUNT, ENCODER, vectorise=refuse, quiet=True)
    np.testing.assert_array_equal(again, vectors)


def test_vectors_are_those_of_the_encoder_and_are_kept_apart_by_key_and_encoder(
    encoder: Encoder, tmp_path: Path
) -> None:
    """Also of no text at all; another key or encoder does not find them."""
    said = ["one", "a longer text than the others here", "two"]
    vectors = embedded(tmp_path, "some", lambda: iter(said), 3, encoder, quiet=True)
    assert isinstance(vectors, np.memmap)
    np.testing.assert_allclose(vectors, encode(encoder, said), atol=1e-6)
    embedded(tmp_path, "some", lambda: iter(said), 3, encoder, vectorise=refuse, quiet=True)
    for key, other in (("other", encoder), ("some", ENCODER)):
        with pytest.raises(AssertionError, match="nothing is left"):
            embedded(tmp_path, key, lambda: iter(said), 3, other, vectorise=refuse, quiet=True)
    assert embedded(tmp_path, "empty", lambda: iter(()), 0, encoder, quiet=True).shape == (0, 384)


@pytest.mark.parametrize("announced", [2, 4, CHUNK + 1])
def test_a_wrong_count_is_an_error_and_leaves_nothing(announced: int, tmp_path: Path) -> None:
    """A file never holds fewer or more vectors than texts."""
    with pytest.raises(ValueError, match=f"3 texts were embedded where {announced} were announced"):
        embedded(
            tmp_path, "k", lambda: "abc", announced, ENCODER, vectorise=lambda chunks: map(hashed, chunks), quiet=True
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_cluster_gives_the_same_vectors_in_order_also_when_a_worker_is_killed(encoder: Encoder) -> None:
    """Two workers, one of them killed at work: nothing is lost, every vector is this machine's, up to rounding."""
    chunks = [[f"chunk {number} says {word}" for word in ("yes", "no, not at all") * 4] for number in range(40)]
    coming = on_cluster(encoder, workers=2)(iter(chunks))
    found = [next(coming)]
    worker = next(p for p in psutil.Process().children(recursive=True) if "_Worker" in " ".join(p.cmdline()))
    os.kill(worker.pid, signal.SIGKILL)
    found.extend(coming)
    assert len(found) == len(chunks)
    for chunk, vectors in zip(chunks, found, strict=True):
        np.testing.assert_allclose(vectors, encode(encoder, chunk), atol=1e-5)
