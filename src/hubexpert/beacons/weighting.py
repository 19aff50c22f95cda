"""How hard an example is learned from: harder, the farther the base's own answer is from it."""

from collections.abc import Sequence

import numpy as np

LEAST, MOST = 0.5, 2.0


def weights(distances: Sequence[float], *, strength: float) -> list[float]:
    """A weight for each example: 1 + strength · (d - mean) / std, cut to 0.5 and 2, then scaled to a mean of 1.

    Where all distances are equal all weights are 1.
    """
    d = np.asarray(distances, dtype=np.float64)
    if len(d) == 0 or d.std() < 1e-12:
        return [1.0] * len(d)
    raw = np.clip(1 + strength * (d - d.mean()) / d.std(), LEAST, MOST)
    return [round(float(weight), 6) for weight in raw / raw.mean()]
