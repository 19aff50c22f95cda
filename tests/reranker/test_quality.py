"""What the first passages carry of what they could."""

from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.reranker.quality import carried


@given(st.lists(st.floats(0, 1, width=16), min_size=1, max_size=6), st.integers(1, 7), st.randoms())
def test_what_is_carried_is_a_share_of_what_the_best_order_carries(worth: list[float], k: int, chance: Random) -> None:
    """All orders are tried; the best has 1, and any order the sum of its first k over that of the best."""
    places = list(range(len(worth)))
    most = max(sum(worth[place] for place in order[:k]) for order in permutations(places))
    if most == 0:
        with pytest.raises(ValueError, match="worth anything"):
            carried(worth, places, k)
        return
    chance.shuffle(places)
    assert carried(worth, places, k) == pytest.approx(sum(worth[place] for place in places[:k]) / most)
    assert carried(worth, sorted(places, key=lambda at: -worth[at]), k) == pytest.approx(1)
