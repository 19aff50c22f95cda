"""Which rows are transformed: the closest ones, no dataset's share too large, none that names the task."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hubexpert.naming import is_named
from hubexpert.rebase.score import Scores
from hubexpert.recipe import TaskSection
from hubexpert.records import Row


class Rows(Protocol):
    """Rows that lie somewhere, by their place from 0."""

    @property
    def count(self) -> int:
        """How many there are."""

    def __iter__(self) -> Iterator[Row]:
        """All of them, in order."""

    def at(self, places: list[int]) -> list[Row]:
        """Those at these places, in this order."""


@dataclass(frozen=True)
class Retrieved:
    """The places of the rows that are taken, the closest first, and of those that are refused, by reason code.

    `beyond` are those that are good enough but not among as many as were asked for.
    """

    taken: tuple[int, ...]
    refused: dict[str, tuple[int, ...]]


def retrieve(scores: Scores, names_task: NDArray[np.bool_], *, rows: int, share: float) -> Retrieved:
    """The `rows` closest rows; of equal ones those that come first.

    Args:
        scores: of all rows.
        names_task: [rows] whether a row names the task, so that it may hold what is asked for.
        rows: how many are taken at most.
        share: the largest part of `rows` that one dataset may have; at least one row.
    """
    most = max(1, math.floor(share * rows + 1e-9))  # 0.29 * 100 is 28.999...
    refused: dict[str, list[int]] = {}
    taken: list[int] = []
    counts: Counter[int] = Counter()
    for place in np.argsort(-scores.rows, kind="stable").tolist():
        dataset = int(scores.datasets[place])
        code = (
            "names-task" if names_task[place]
            else "no-values" if scores.rows[place] == -np.inf
            else "beyond" if len(taken) == rows
            else "share-cap" if counts[dataset] == most
            else None
        )  # fmt: skip
        if code:
            refused.setdefault(code, []).append(place)
        else:
            taken.append(place)
            counts[dataset] += 1
    return Retrieved(tuple(taken), {code: tuple(places) for code, places in refused.items()})


def names_task(row: Row, task: TaskSection) -> bool:
    """Whether the row comes from a dataset of the task's own, or one of its values holds the task's name as words."""
    words = r"[\W_]{1,3}".join(re.escape(word) for word in re.split(r"[\W_]+", task.name) if word)
    mention = re.compile(rf"(?<![^\W_]){words}(?![^\W_])", re.IGNORECASE)
    own = any(is_named(name.partition("@")[0], row.source.repo) for name in task.datasets)
    return own or (bool(words) and any(mention.search(value) for value in row.values.values()))
