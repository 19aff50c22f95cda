"""The map of rows."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hubexpert.figures import save
from hubexpert.rows.map import MOST, data_map, on_plane, plane


def drawn(seed: int, count: int, width: int = 6) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(2, 8))
def test_the_plane_holds_as_much_variance_as_a_plane_can(seed: int, count: int, width: int) -> None:
    """Against numpy's singular values; and no component is mirrored by chance."""
    vectors = drawn(seed, count, width)
    placed, share = plane(vectors)
    centred = vectors.astype(float) - vectors.astype(float).mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    assert share == pytest.approx((values[:2] ** 2).sum() / (values**2).sum())
    assert (placed**2).sum(axis=0) == pytest.approx(values[:2] ** 2)
    assert plane(vectors[::-1].copy())[0][::-1] == pytest.approx(placed, abs=1e-4)


def test_equal_vectors_give_equal_pictures_and_only_so_many_points_are_drawn(tmp_path: Path) -> None:
    drawing = partial(data_map, on_plane(drawn(0, 12), drawn(1, 200), drawn(2, 20_000), digest=""))
    for name in ("a.png", "b.png"):
        save(drawing, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    groups = {c.get_label(): len(np.asarray(c.get_offsets())) for c in drawing().axes[0].collections}
    assert groups == {"shots": 12, "taken": 200, "others": MOST - 212}


@pytest.mark.parametrize("counts", [(0, 0, 0), (1, 0, 0), (3, 0, 2), (0, 1, 0), (2, 2, 2)])
def test_few_points_are_drawn_too(counts: tuple[int, int, int], tmp_path: Path) -> None:
    groups = [np.ones((count, 4), dtype=np.float32) for count in counts]
    save(partial(data_map, on_plane(*groups, digest="")), tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 1000
