"""The guard: whether a row or an example holds what one of the task's examples asks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hubexpert.leaks.copies import Copies, copies_of
from hubexpert.overlap import FEWEST, SHORT, Traces, Words, lines_of, traces_of, words
from hubexpert.progress import track
from hubexpert.records import Example, Row

Leak = Literal["leak-exact", "leak-ngram", "leak-near"]  # the graver first


@dataclass(frozen=True)
class Guard:
    """What must not stand in what is trained on.

    Attributes:
        inputs: of shots and held-out examples, as they are compared whole, however short.
        traces: of these inputs, anywhere in a row: whole, and pieces.
        copies: of these inputs, with one slip.
    """

    inputs: frozenset[Words]
    traces: Traces
    copies: Copies

    def of_example(self, example: Example) -> Leak | None:
        """Why an example is a leak, None where it is none."""
        if _whole(example.input) in self.inputs:
            return "leak-exact"
        return self._of_texts((example.instruction, example.input, example.rationale or "", example.output))

    def of_row(self, row: Row) -> Leak | None:
        """Why a row is a leak, by the texts of its columns or by the example that it makes; None where it is none."""
        made = self.of_example(row.example) if row.example else None
        held = None if made == "leak-exact" else self._of_texts(tuple(row.values.values()))
        return next((code for code in get_args(Leak) if code in (made, held)), None)

    def _of_texts(self, texts: Sequence[str]) -> Leak | None:
        lines = lines_of(texts)
        verbatim, partial = self.traces.found(lines)
        if verbatim or partial:
            return "leak-exact" if verbatim else "leak-ngram"
        near_one = any(map(self._with_a_word_more, lines))
        return "leak-near" if near_one or self.copies.stand_in(tuple(word for line in lines for word in line)) else None

    def _with_a_word_more(self, line: Words) -> bool:
        """Whether the line is an input of 4 to 7 words with one before or behind it."""
        return FEWEST < len(line) <= SHORT and bool({line[1:], line[:-1]} & self.inputs)


def guard(examples: Iterable[Example]) -> Guard:
    """The guard of these examples: the shots and the held-out ones.

    - `leak-exact`: their input stands in the text: one of 8 words or more anywhere, one of 4 to 7 as a line, a shorter
      one only as the whole input of an example. Case, punctuation and white space do not count.
    - `leak-ngram`: a piece of 13 words of it does (8, of an input with less than 26), unless three inputs share it, as
      they do the task's form.
    - `leak-near`: an input of 8 words or more does, with one word changed, added or left out, two joined, one parted;
      or one of 4 to 7 words is a line but for one word before or behind it. `leaks` says so, too, of rows whose vectors
      are `near`.
    """
    inputs = [example.input for example in examples]
    return Guard(frozenset(map(_whole, inputs)), traces_of(inputs), copies_of([words(text) for text in inputs]))


def _whole(text: str) -> Words:
    """An input as it is compared whole; of one without any words (formulas, pictograms) its signs."""
    return words(text) or tuple(text.split())


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
        beside: Leak | None = "leak-near" if close is not None and close[place] else None
        found.append(guarding.of_row(row) or beside)
    return found
