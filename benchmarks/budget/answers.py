"""Answers of a pool of adapters on a task's shots, drawn so that the published accuracies are the truth."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

PUBLISHED = Path(__file__).parents[1] / "data" / "open_knowledge.json"
BLOCK = 6_000_000  # answers held at once
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Cell:
    """One task on one base: the true accuracy of every adapter, and how many examples its test has."""

    base: str
    task: str
    accuracies: Floats
    tests: int


def published() -> list[Cell]:
    """The twelve cells of the paper, each with its 38 LoRAs and the base."""
    tables = json.loads(PUBLISHED.read_text())
    return [
        Cell(base, task, np.array([row[column] for row in rows.values()]) / 100, tables["test_sizes"][task])
        for base, rows in tables["bases"].items()
        for column, task in enumerate(tables["tasks"])
    ]


@dataclass(frozen=True)
class Drawn:
    """Some draws: `truth` [draws, adapters] and `margins` [draws, adapters, shots]; a margin above 0 is a right answer.

    The pool's order is shuffled in each draw, so that ties are broken at random, and by every method alike.
    """

    truth: Floats
    margins: NDArray[np.float32]

    @property
    def correct(self) -> Bools:
        """Right and wrong, [draws, adapters, shots]."""
        return self.margins > 0


def drawn(accuracies: Floats, shots: int, rho: float, draws: int, generator: np.random.Generator) -> Iterator[Drawn]:
    """`draws` draws of `shots` examples, in blocks.

    A Gaussian copula: the margin of adapter a on example e is Φ⁻¹(accuracy of a) - √rho · (difficulty of e) -
    √(1 - rho) · (noise), both standard normal. `rho` 0 makes all answers independent; at 0.6 adapters mostly fail on
    the same examples.
    """
    bounds = np.array([NormalDist().inv_cdf(min(max(p, 1e-6), 1 - 1e-6)) for p in accuracies], dtype=np.float32)
    block = max(1, BLOCK // (len(bounds) * shots))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        pool = np.argsort(generator.random((size, len(bounds))), axis=1)
        margins = generator.standard_normal((size, len(bounds), shots), dtype=np.float32)
        if rho:
            margins *= np.float32((1 - rho) ** 0.5)
            margins += np.float32(rho**0.5) * generator.standard_normal((size, 1, shots), dtype=np.float32)
        margins += bounds[pool][:, :, None]
        yield Drawn(accuracies[pool], margins)
