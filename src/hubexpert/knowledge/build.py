"""The BM25 index over passages that were written, made by `bm25s` from numbers of words that stay on disk."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubexpert.errors import HubExpertError, needed
from hubexpert.knowledge.write import ENDS, VOCABULARY, WORDS
from hubexpert.progress import track

BM25 = "bm25"
K1, B = 1.5, 0.75


@dataclass(frozen=True)
class _Numbers:
    """The numbers of the words of each passage, read from disk when they are asked for; bm25s asks three times."""

    words: NDArray[np.int32]
    ends: NDArray[np.int64]
    quiet: bool

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[list[int]]:
        begin = 0
        for end in track(self.ends.tolist(), "indexing, one of three passes over the passages", quiet=self.quiet):
            yield self.words[begin:end].tolist()
            begin = end


@dataclass(frozen=True)
class _Tokenized:
    """What bm25s indexes."""

    ids: _Numbers
    vocab: dict[str, int]


def build(folder: Path, *, quiet: bool = False) -> None:
    """Write bm25s's index of the passages in a folder into its folder `bm25`, which appears when all is written.

    Args:
        folder: where `write_passages` wrote.
        quiet: show no progress.

    Raises:
        HubExpertError: there is no word in the passages; or bm25s is not installed.
    """
    words = (folder / VOCABULARY).read_text(encoding="utf-8").split("\n")[:-1]
    if not words:
        raise HubExpertError("The knowledge holds no words.", fix="correct `data.knowledge.sources`")
    numbers = _Numbers(np.memmap(folder / WORDS, np.int32, mode="r"), np.fromfile(folder / ENDS, np.int64), quiet)
    index = bm25s().BM25(k1=K1, b=B, method="lucene")
    vocabulary = {word: number for number, word in enumerate(words)}
    index.index(_Tokenized(numbers, vocabulary), create_empty_token=False, show_progress=False)
    temporary = folder / f"{BM25}.part"
    shutil.rmtree(temporary, ignore_errors=True)
    index.save(temporary, show_progress=False)
    temporary.replace(folder / BM25)


def bm25s() -> Any:
    """The library of the indexes.

    Raises:
        HubExpertError: it is not installed.
    """
    return needed("bm25s", "finds passages")
