"""Rows and examples that hold what the task's shots or held-out examples ask: nothing of them may be trained on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hubexpert.overlap import Traces, Words, traces_of, words
from hubexpert.progress import track
from hubexpert.records import Example, Row

Leak = Literal["leak-exact", "leak-ngram", "leak-near"]
NEAR = 0.95
BLOCK = 4096  # rows whose vectors are compared at once


@dataclass(frozen=True)
class Guard:
    """What must not stand in what is trained on.

    Attributes:
        traces: of the inputs of shots and held-out examples, whole and in pieces.
        inputs: these inputs, as they are compared whole, however short.
    """

    traces: Traces
    inputs: frozenset[Words]

    def of_example(self, example: Example) -> Leak | None:
        """Why an example is a leak: its input equals or contains one of the inputs, or it has a piece of one."""
        if _whole(example.input) in self.inputs:
            return "leak-exact"
        return self._of_texts((example.instruction, example.input, example.rationale or "", example.output))

    def of_row(self, row: Row) -> Leak | None:
        """Why a row is a leak: the texts of its columns, or the example it makes, hold an input or a piece of one."""
        made = self.of_example(row.example) if row.example else None
        if made == "leak-exact":
            return made
        held = self._of_texts(tuple(row.values.values()))
        return held if held == "leak-exact" else made or held

    def _of_texts(self, texts: Sequence[str]) -> Leak | None:
        """Why the texts of a row, in order, are a leak."""
        verbatim, partial = self.traces.found(texts)
        return "leak-exact" if verbatim else "leak-ngram" if partial else None


def guard(examples: Iterable[Example]) -> Guard:
    """The guard of these examples: the shots and the held-out ones.

    An input is found as `overlap` finds it, without regard to case, punctuation and white space: one of 8 words or more
    anywhere in a row, one of 4 to 7 as a line; a shorter one only where it is an example's whole input. A piece of 13
    words (of 8, of an input with less than 13) is a leak, unless three inputs share it, as they do the task's form.
    """
    inputs = [example.input for example in examples]
    return Guard(traces_of(inputs), frozenset(map(_whole, inputs)))


def _whole(text: str) -> Words:
    """An input as it is compared whole; of one without any words (formulas, pictograms) its signs."""
    return words(text) or tuple(text.split())


def near(vectors: NDArray[np.float32], held: NDArray[np.float32], threshold: float = NEAR) -> NDArray[np.bool_]:
    """Which vectors lie nearer to one of `held` than the threshold: [rows].

    Args:
        vectors: of unit length, [rows, d]; may be a file that is mapped into memory.
        held: those of the shots and held-out examples, made of their inputs as `vectors` are of the rows', [k, d].
        threshold: cosine.
    """
    found = np.zeros(len(vectors), dtype=bool)
    for start in range(0, len(vectors) if len(held) else 0, BLOCK):
        block = np.asarray(vectors[start : start + BLOCK])
        # what is no number is near: nobody knows where it lies
        found[start : start + BLOCK] = ~((block @ held.T).max(axis=1) <= threshold)
    return found


def leaks(
    rows: Iterable[Row], guarding: Guard, close: NDArray[np.bool_] | None = None, *, quiet: bool = False
) -> list[Leak | None]:
    """For every row why it is a leak, None where it is none.

    Args:
        rows: of one dataset, streamed.
        guarding: against shots and held-out examples.
        close: which rows are `near` to one of these, [rows]; None: that is not looked at.
        quiet: no progress.
    """
    found: list[Leak | None] = []
    for place, row in enumerate(track(rows, "looking for leaks", quiet=quiet)):
        near_one: Leak | None = "leak-near" if close is not None and close[place] else None
        found.append(guarding.of_row(row) or near_one)
    return found
