"""Rows of open datasets with their vectors, and which of them may be taken: what methods choose from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hubexpert.embed.encoder import Encoder, Floats, encode
from hubexpert.embed.exact import Bools
from hubexpert.embed.vectors import Vectorise, embedded
from hubexpert.instructions import example_text
from hubexpert.leaks import Guard, guard, leaks, near
from hubexpert.records import Example, Row
from hubexpert.rows import RowFile
from hubexpert.rows.languages import is_foreign, languages_of
from hubexpert.shots import Task


@dataclass(frozen=True)
class Material:
    """Rows, one file a dataset, and what is known of each.

    Attributes:
        files: the rows on disk.
        codes: for each file, for each row why no method may take it; None where any may.
        bare: for each file which of its rows make no example `[rows]`.
        texts: for each file the vectors of `example_text` `[rows, dimensions]`; of bare rows, of their columns.
        task: the shots and the held-out examples.
        held: the vectors of their inputs `[examples, dimensions]`.
        guarding: against them.
        encoder: makes vectors.
        folder: where they lie.
        vectorise: embeds elsewhere; None: the encoder does here.
        quiet: no progress.
    """

    files: tuple[RowFile, ...]
    codes: tuple[tuple[str | None, ...], ...]
    bare: tuple[Bools, ...]
    texts: tuple[Floats, ...]
    task: Task
    held: Floats
    guarding: Guard
    encoder: Encoder
    folder: Path
    vectorise: Vectorise | None
    quiet: bool

    @property
    def free(self) -> list[Bools]:
        """For each file the rows that any method may take `[rows]`."""
        return [np.array([code is None for code in codes], dtype=bool) for codes in self.codes]

    @property
    def allowed(self) -> list[Bools]:
        """For each file those of them which are examples as they are `[rows]`."""
        return [free & ~bare for free, bare in zip(self.free, self.bare, strict=True)]


def material(
    files: Sequence[RowFile],
    task: Task,
    encoder: Encoder,
    folder: Path,
    *,
    languages: Sequence[str],
    vectorise: Vectorise | None = None,
    quiet: bool = False,
) -> Material:
    """The rows with their vectors; leaks, and rows in other languages, are marked.

    Args:
        files: the rows of each dataset.
        task: nothing of its shots and held-out examples may be taken.
        encoder: of texts.
        folder: where vectors are kept; those of a file are made once.
        languages: that rows may have; none named: those of the shots.
        vectorise: embeds elsewhere.
        quiet: no progress.
    """
    known = (*task.shots, *task.test)
    guarding, held = guard(known), encode(encoder, [example.input for example in known])
    spoken = frozenset(languages) or languages_of(task.shots)
    codes, bare, texts = [], [], []
    for file in files:
        inputs = vectors_of(file, "inputs", encoder, folder, vectorise, quiet)
        texts.append(vectors_of(file, "texts", encoder, folder, vectorise, quiet))
        found = leaks(file, guarding, near(inputs, held), quiet=quiet)
        told = [
            (leak or ("language" if is_foreign(row, spoken) else None), row.example is None)
            for leak, row in zip(found, file, strict=True)
        ]
        codes.append(tuple(code for code, _ in told))
        bare.append(np.array([none for _, none in told], dtype=bool))
    return Material(
        tuple(files), tuple(codes), tuple(bare), tuple(texts), task, held, guarding, encoder, folder, vectorise, quiet
    )


def as_example(row: Row) -> Example:
    """The row's example; of a bare row its columns as input."""
    return row.example or Example(input="\n".join(row.values.values()), output="")


def _text(row: Row, what: str) -> Iterator[str]:
    """What is embedded of a row: `inputs`, `texts`, or each of its `values`."""
    if what == "values":
        yield from row.values.values()
    elif what == "inputs" or row.example is None:
        yield as_example(row).input
    else:
        yield example_text(row.example)


def vectors_of(
    file: RowFile, what: str, encoder: Encoder, folder: Path, vectorise: Vectorise | None, quiet: bool
) -> Floats:
    """The vectors of a file's `inputs` or `texts` [rows, dimensions], or of all its `values`, row by row."""
    count = sum(len(row.values) for row in file) if what == "values" else file.count
    key = f"{file.path.parent.name}-{what}"
    texts = lambda: (text for row in file for text in _text(row, what))  # noqa: E731
    return embedded(folder, key, texts, count, encoder, vectorise=vectorise, quiet=quiet)
