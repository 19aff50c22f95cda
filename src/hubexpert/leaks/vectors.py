"""Rows whose vectors lie next to those of shots or held-out examples."""

import numpy as np
from numpy.typing import NDArray

# Of all-MiniLM-L6-v2: what lies beyond is the same question in other words. In tasks whose rows are all of one kind
# (77 intents of a bank) that is 1 row in 100, elsewhere at most 3 in 1,000.
NEAR = 0.95
BLOCK = 4096  # rows whose vectors are compared at once


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
