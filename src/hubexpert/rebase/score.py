"""How close every row is to the shots, by its values and its dataset (ReBase, arXiv 2407.05463, 3.2)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.floating]
Floats = NDArray[np.float64]
AT_ONCE = 16_384  # values whose vectors are in memory at once


@dataclass(frozen=True)
class RowVectors:
    """The rows as vectors of one sentence encoder, of any length; a vector of zeros is close to nothing.

    Attributes:
        values: [values, dimensions]; one for each column of each row, in the order of the columns. It may lie on disk.
        owners: [values] the row that each belongs to, ascending.
        datasets: [rows] the dataset of each row.
        descriptions: [datasets, dimensions] what each dataset says of itself.
    """

    values: Vectors
    owners: NDArray[np.integer]
    datasets: NDArray[np.integer]
    descriptions: Vectors


@dataclass(frozen=True)
class ShotVectors:
    """The shots and the task as vectors of the same encoder.

    Attributes:
        inputs: [shots, dimensions].
        outputs: [shots, dimensions].
        instruction: [dimensions].
    """

    inputs: Vectors
    outputs: Vectors
    instruction: Vectors


@dataclass(frozen=True)
class Scores:
    """How close rows and values are to the shots.

    Attributes:
        rows: [rows] the mean of the three terms, each in its standard deviations; -inf for rows without values.
        values: [values] the mean of the two terms of that value alone, in the same units.
        starts: [rows + 1] the values of row r are `values[starts[r]:starts[r + 1]]`.
        datasets: [rows] the dataset of each row.
    """

    rows: Floats
    values: Floats
    starts: NDArray[np.integer]
    datasets: NDArray[np.integer]


def score(vectors: RowVectors, shots: ShotVectors) -> Scores:
    """The score of every row: (S_in + S_out + S_dat) / 3, each term as its z-score over all rows that have values.

    s_in(v) is the mean cosine of a value with the shots' inputs, s_out(v) with their outputs; S_in and S_out are the
    largest of a row's values. The paper adds the terms as they are. But cosines with inputs, which are long texts, lie
    close together, while those with short labels ("True") lie far apart, so that labels alone decided what is
    retrieved. As z-scores the terms vary alike, so each has the same say. (Scaled to 0 and 1 instead, a term's say
    would hang on its two outermost rows: one copy of a shot among the rows would leave it next to none.) A term in
    which all rows are alike is 0.

    Raises:
        ValueError: the vectors do not belong together.
    """
    count = len(vectors.datasets)
    if len(vectors.owners) != len(vectors.values) or np.any(np.diff(vectors.owners) < 0):
        raise ValueError("there is not one owner a value, in ascending order")
    starts = np.searchsorted(vectors.owners, np.arange(count + 1))
    if starts[-1] != len(vectors.owners) or (len(vectors.owners) and vectors.owners[0] < 0):
        raise ValueError("a value belongs to no row")
    full = np.flatnonzero(np.diff(starts))
    rows = np.full(count, -np.inf)
    if not len(full):
        return Scores(rows, np.empty(0), starts, vectors.datasets)
    # the mean of cosines with the shots is one product with the mean of the shots' unit vectors
    close = _products(vectors.values, np.stack([_units(shots.inputs).mean(0), _units(shots.outputs).mean(0)], axis=1))
    best = np.maximum.reduceat(close, starts[full], axis=0)  # [rows with values, 2]
    told = _products(vectors.descriptions, _units(shots.instruction[None]).T)[:, 0]
    terms = np.column_stack([best, told[vectors.datasets[full]]])  # [rows with values, 3]
    mean, spread = terms.mean(0), _spread(terms)
    rows[full] = ((terms - mean) / spread).mean(1)
    return Scores(rows, ((close - mean[:2]) / spread[:2]).mean(1), starts, vectors.datasets)


def _spread(terms: Floats) -> Floats:
    """The standard deviation of each term; infinite where it is no more than rounding makes of equal values."""
    spread = terms.std(0)
    return np.where(spread > 1e-9, spread, np.inf)


def _products(vectors: Vectors, directions: Floats) -> Floats:
    """The unit vectors times those directions [dimensions, k], [vectors, k], a part of the vectors at a time."""
    parts = [_units(vectors[start : start + AT_ONCE]) @ directions for start in range(0, len(vectors), AT_ONCE)]
    return np.concatenate([np.empty((0, directions.shape[1])), *parts])


def _units(vectors: Vectors) -> Floats:
    """The vectors at length 1; of length 0 where they are zero."""
    given = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(given, axis=-1, keepdims=True)
    return np.divide(given, lengths, out=np.zeros_like(given), where=lengths > 0)
