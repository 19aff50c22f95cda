"""Intervals of means: the percentile bootstrap, on one system's scores or on paired differences.

Both are deterministic for a seed. Resampling equal values can only repeat them, so the bootstrap would claim
certainty. Where all scores are 0, or all are 1, the Wilson score interval says instead how little n equal observations
show, and equal differences get an interval drawn from it; scores that are all, say, 0.5 keep the bootstrap's.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution
Floats = NDArray[np.float64]


def bootstrap(values: Sequence[float], *, seed: int, draws: int = DRAWS) -> tuple[float, float]:
    """The 95 % interval of the mean of `values`.

    Draw n of the n values with replacement, `draws` times; the interval is the 2.5 % and the 97.5 % quantile of the
    resampled means (interpolated linearly). Values that are all 0 or all 1 get the Wilson interval instead, so that
    0 of 40 yields [0, 0.088] and not [0, 0].

    Args:
        values: one score an example, at least one.
        seed: of the generator; equal seeds give equal intervals.
        draws: how many resamples.

    Raises:
        ValueError: there are no values.
    """
    scores = _array(values)
    if np.all(scores == 0) or np.all(scores == 1):
        return wilson(int(scores.sum()), len(scores))
    return _percentiles(scores, seed, draws)


def paired(first: Sequence[float], second: Sequence[float], *, seed: int) -> tuple[float, float, float]:
    """The mean of `first[i] - second[i]` with its 95 % interval: (mean, low, high).

    The differences d of the same examples are resampled as in `bootstrap`. Where all d are one value and the scores
    lie in [0, 1], at least a share l of all examples behaves so (l = the Wilson lower limit of n successes in n), and
    the rest may differ by anything from -1 to 1: the interval is l·d ± (1 - l), cut to [-1, 1].

    Raises:
        ValueError: there are no values, or the two lengths differ.
    """
    ours, theirs = _array(first), _array(second)
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} and {len(theirs)} scores are not pairs")
    differences = ours - theirs
    mean = float(differences.mean())
    both = np.concatenate([ours, theirs])
    if np.all(differences == differences[0]) and both.min() >= 0 and both.max() <= 1:
        alike = wilson(len(ours), len(ours))[0]
        return mean, max(-1.0, alike * mean - (1 - alike)), min(1.0, alike * mean + (1 - alike))
    return mean, *_percentiles(differences, seed, DRAWS)


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion p = successes / n.

    (p + z²/2n ± z·√(p(1-p)/n + z²/4n²)) / (1 + z²/n), with z = 1.96; exactly 0 and 1 at the ends.
    """
    p = successes / n
    centre = p + Z * Z / (2 * n)
    spread = Z * (p * (1 - p) / n + Z * Z / (4 * n * n)) ** 0.5
    scale = 1 + Z * Z / n
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == n else (centre + spread) / scale
    return low, high


def _percentiles(values: Floats, seed: int, draws: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    n = len(values)
    # one resample at a time: a [draws, n] table of indices would need gigabytes for large test sets
    means = [values[generator.integers(n, size=n)].mean() for _ in range(draws)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _array(values: Sequence[float]) -> Floats:
    if len(values) == 0:
        raise ValueError("an interval needs at least one value")
    return np.asarray(values, dtype=np.float64)
