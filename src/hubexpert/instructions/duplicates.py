"""Of rows that resemble each other, the one closest to the shots (Open Knowledge, Algorithm 2)."""

from dataclasses import dataclass

import numpy as np

from hubexpert.embed.encoder import Floats
from hubexpert.embed.exact import Bools, Ints, cosines

BLOCK = 256  # rows that are compared with the kept ones at once


@dataclass(frozen=True)
class Deduped:
    """Of each row `[rows]`: whether it is kept, the kept row it is most like (itself if kept), and their cosine."""

    keep: Bools
    like: Ints
    cosine: Floats


def dedup(vectors: Floats, threshold: float) -> Deduped:
    """Drop the farther one of every pair of rows whose cosine exceeds the threshold.

    Greedy, in order of closeness: a row is compared with those kept before it. A row that was dropped drops no others,
    so of a chain in which only neighbours are alike every second row stays.

    Args:
        vectors: `[rows, dimensions]` of unit length, those closest to the shots first.
        threshold: the paper's tau.
    """
    like, cosine, keep = np.arange(len(vectors)), np.ones(len(vectors), np.float32), np.zeros(len(vectors), np.bool_)
    for begin in range(0, len(vectors), BLOCK):
        block = vectors[begin : begin + BLOCK]
        earlier = np.flatnonzero(keep[:begin])
        places = np.concatenate([earlier, np.arange(begin, begin + len(block))])
        near = cosines(block, vectors[places])
        for row in range(len(block)):
            before = near[row, : len(earlier) + row]
            closest = int(before.argmax()) if len(before) else 0
            if len(before) and before[closest] > threshold:
                like[begin + row], cosine[begin + row] = places[closest], before[closest]
                near[:, len(earlier) + row] = -np.inf  # it drops no others
            else:
                keep[begin + row] = True
    return Deduped(keep, like, cosine)
