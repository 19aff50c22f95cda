"""Passages and the numbers of their words written to disk, chunk by chunk; what is whole survives a kill."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from hubexpert.errors import HubExpertError
from hubexpert.knowledge.split import one_line, split
from hubexpert.knowledge.terms import language, terms
from hubexpert.knowledge.texts import Text, texts
from hubexpert.progress import track
from hubexpert.recipe import KnowledgeSection
from hubexpert.records import Record, Source
from hubexpert.workspace import write_atomically

CHUNK = 8192  # passages, or a few more, that are forced to disk together; what a kill costs
TITLE = 300  # characters of a title
PASSAGES, OFFSETS = "passages.jsonl", "offsets.i64"
WORDS, ENDS, VOCABULARY, DONE = "words.i32", "ends.i64", "vocabulary.txt", "done.json"
FILES = (PASSAGES, OFFSETS, WORDS, ENDS, VOCABULARY)

Line = tuple[int, int, int, str, str]  # number of the source, row, part, title, text


class Done(Record):
    """How far writing has come: the next row, and what of each file is whole."""

    source: int = 0
    row: int = 0
    counts: tuple[int, ...]
    language: str | None = None
    sizes: tuple[int, ...] = (0,) * len(FILES)


@dataclass(frozen=True)
class _Chunk:
    """Passages, and where the ones behind them begin."""

    lines: list[Line]
    source: int
    row: int


def write_passages(
    folder: Path, sources: Sequence[Source], section: KnowledgeSection, beside: Path, *, quiet: bool = False
) -> Done:
    """Write all passages, and the numbers of their words, into the folder, from where a run before ended.

    `passages.jsonl` holds `[number of the source, row, part, title, text]` a line, `offsets.i64` where each begins;
    `words.i32` the numbers of the words of each, up to where `ends.i64` says; `vocabulary.txt` the words by number.

    Args:
        folder: of this knowledge alone; one process at a time writes there.
        sources: pinned by `pinned`.
        section: which column is read, and how texts are cut.
        beside: where paths count from: the recipe's folder.
        quiet: show no progress.

    Raises:
        SourceError: the rows of a dataset cannot be read; what was written stays.
        HubExpertError: a source holds no text, or cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = _done(folder, sources)
    known = _cut_back(folder, done)
    for chunk in track(_chunks(sources, section, beside, done), f"passages, {CHUNK} at a time", quiet=quiet):
        if chunk.lines and not any(done.counts):
            done = done.model_copy(update={"language": language([line[4] for line in chunk.lines])})
        done = _append(folder, chunk, done, known)
    for source, count in zip(sources, done.counts, strict=True):
        if not count:
            raise HubExpertError(f"{source.repo} holds no text.", fix="correct `data.knowledge`, or leave it out")
    return done


def _done(folder: Path, sources: Sequence[Source]) -> Done:
    try:
        return Done.model_validate_json((folder / DONE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return Done(counts=(0,) * len(sources))


def _cut_back(folder: Path, done: Done) -> dict[str, int]:
    """Drop what was being written when a run ended; the number of each word that is known."""
    for name, size in zip(FILES, done.sizes, strict=True):
        with (folder / name).open("ab") as file:
            file.truncate(size)
    with (folder / VOCABULARY).open(encoding="utf-8") as file:
        return {line.removesuffix("\n"): number for number, line in enumerate(file)}


def _chunks(sources: Sequence[Source], section: KnowledgeSection, beside: Path, done: Done) -> Iterator[_Chunk]:
    """The passages behind those that are done; all of one text in one chunk, and the last one may be empty."""
    lines: list[Line] = []
    for number in range(done.source, len(sources)):
        begin = done.row if number == done.source else 0
        row = begin
        for text in texts(sources[number], section.column, beside, begin):
            lines += _passages(number, text, section)
            row = text.row + 1
            if len(lines) >= CHUNK:
                yield _Chunk(lines, number, row)
                lines = []
        yield _Chunk(lines, number + 1, 0)
        lines = []


def _passages(number: int, text: Text, section: KnowledgeSection) -> Iterator[Line]:
    title = one_line(text.title[: 2 * TITLE])[:TITLE]
    for part, passage in enumerate(split(text.text, section.words, section.overlap)):
        yield number, text.row, part, title, passage


def _append(folder: Path, chunk: _Chunk, done: Done, known: dict[str, int]) -> Done:
    """Force the chunk to disk, and then that it is there."""
    before = len(known)
    written = [(json.dumps(line, ensure_ascii=False) + "\n").encode() for line in chunk.lines]
    numbers = [
        [known.setdefault(term, len(known)) for term in terms(f"{title}\n{text}", done.language)]
        for *_, title, text in chunk.lines
    ]
    starts = done.sizes[0] + np.cumsum([0, *map(len, written)], dtype=np.int64)[:-1]
    ends = done.sizes[2] // 4 + np.cumsum([len(each) for each in numbers], dtype=np.int64)
    blocks = (
        b"".join(written),
        starts.tobytes(),
        np.array([number for each in numbers for number in each], np.int32).tobytes(),
        ends.tobytes(),
        "".join(f"{term}\n" for term in islice(known, before, None)).encode(),
    )
    for name, block in zip(FILES, blocks, strict=True):
        with (folder / name).open("ab") as file:
            file.write(block)
            file.flush()
            os.fsync(file.fileno())
    counts = list(done.counts)
    for line in chunk.lines:
        counts[line[0]] += 1
    sizes = tuple(size + len(block) for size, block in zip(done.sizes, blocks, strict=True))
    done = Done(source=chunk.source, row=chunk.row, counts=tuple(counts), language=done.language, sizes=sizes)
    write_atomically(folder / DONE, done.model_dump_json())
    return done
