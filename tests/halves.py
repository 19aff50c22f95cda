"""Vectors of unit length whose cosines are halves, exactly and in whatever order they are summed: they tie often."""

from itertools import product

import numpy as np
from hypothesis import strategies as st

AXES = [[float(sign * (at == place)) for at in range(4)] for place in range(4) for sign in (1, -1)]
HALVES = np.array([*AXES, *product((0.5, -0.5), repeat=4)], np.float32)  # [24, 4]

chosen = st.lists(st.integers(0, len(HALVES) - 1), max_size=40).map(lambda rows: HALVES[np.array(rows, int)])
