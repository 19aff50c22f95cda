"""Passages on disk with a BM25 index over them: written once, memory-mapped, found again by what they are made of."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from hubexpert.errors import HubExpertError
from hubexpert.knowledge.build import BM25, bm25s, build
from hubexpert.knowledge.write import DONE, ENDS, OFFSETS, PASSAGES, VOCABULARY, WORDS, Done, write_passages
from hubexpert.recipe import KnowledgeSection
from hubexpert.records import Passage, Record, Source
from hubexpert.rows.files import lines_at
from hubexpert.workspace import fingerprint, write_atomically

FORM = 1  # raised when the same texts would be cut, or their words compared, otherwise
ABOUT = "about.json"


class About(Record):
    """What passages were made of, and how."""

    sources: tuple[Source, ...]
    counts: tuple[int, ...]
    column: str
    words: int
    overlap: int
    language: str | None


@dataclass(frozen=True)
class Index:
    """Passages, numbered from 0 in the order of their sources.

    Attributes:
        folder: where they lie.
        about: what they were made of; `counts` says how many each source gave, `language` how words are compared.
        offsets: where each begins in its file, mapped: `[passages]`.
        bm25: bm25s's index of them, mapped.
    """

    folder: Path
    about: About
    offsets: NDArray[np.int64]
    bm25: Any

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, number: int) -> Passage:
        return self.at([number])[0]

    def at(self, numbers: Sequence[int] | NDArray[np.int64]) -> list[Passage]:
        """The passages of these numbers, in that order.

        Raises:
            IndexError: there is no such passage.
        """
        lines = map(json.loads, lines_at(self.folder / PASSAGES, self.offsets, numbers))
        return [
            Passage(source=self.about.sources[source], row=row, part=part, title=title, text=text)
            for source, row, part, title, text in lines
        ]


def open_index(
    folder: Path, sources: Sequence[Source], section: KnowledgeSection, beside: Path, *, quiet: bool = False
) -> Index:
    """The index of these sources; made where it is not on disk yet, from where a run before ended.

    A kill costs the chunk of passages in hand; or, when all are written, the work on BM25's own files, for which
    nothing is read or cut again.

    Args:
        folder: where indexes lie, each in a folder of its own; one process at a time writes there.
        sources: pinned by `pinned`, at least one.
        section: which column is read, and how texts are cut.
        beside: where paths count from: the recipe's folder.
        quiet: show no progress.

    Raises:
        SourceError: the rows of a dataset cannot be read; what was written stays.
        HubExpertError: a source holds no text, or cannot be read; or a library is not installed.
    """
    made_of = [(source.repo, source.revision) for source in sources]
    key = fingerprint([FORM, made_of, section.column, section.words, section.overlap])[:32]
    target = folder / key
    if not (target / ABOUT).is_file():
        partial = folder / f"{key}.part"
        done = write_passages(partial, sources, section, beside, quiet=quiet)
        if not (partial / BM25).is_dir():
            build(partial, quiet=quiet)
        _finish(partial, target, sources, section, done)
    for path in (*(target / name for name in (WORDS, ENDS, VOCABULARY, DONE)), *target.glob(".*")):
        path.unlink(missing_ok=True)  # needed no more
    return _opened(target)


def _opened(folder: Path) -> Index:
    try:
        about = About.model_validate_json((folder / ABOUT).read_bytes())
    except ValidationError as error:
        raise HubExpertError(f"{folder} was written by another version.", fix="remove that folder") from error
    offsets = np.memmap(folder / OFFSETS, np.int64, mode="r")
    return Index(folder, about, offsets, bm25s().BM25.load(folder / BM25, mmap=True, show_progress=False))


def _finish(partial: Path, target: Path, sources: Sequence[Source], section: KnowledgeSection, done: Done) -> None:
    """Put the folder in its place."""
    about = About(
        sources=tuple(sources),
        counts=done.counts,
        column=section.column,
        words=section.words,
        overlap=section.overlap,
        language=done.language,
    )
    write_atomically(partial / ABOUT, about.model_dump_json(indent=1))
    partial.replace(target)
