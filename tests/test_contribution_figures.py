"""The figures of contributions: what is averaged into which cell, and that they are drawn for small and large ones."""

from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from hubexpert.contribution_figures import contribution_bars, kind_shares, share_map
from hubexpert.figures import save
from hubexpert.records import Build, Contribution, Contributions, ExpertRecord, Source, Tuning

KINDS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def a_build(shares: dict[str, tuple[float, ...]]) -> Build:
    experts = tuple(
        ExpertRecord(
            source=Source(repo=rf"owner/$\frac{{{i}}}$-{'x' * 60}", revision=f"{i:040x}"),
            rank=8,
            target_modules=KINDS[: 2 + i],
            share=0.5,
        )
        for i in range(len(next(iter(shares.values()))))
    )
    return Build(
        experts=experts, shared_rank=0, rank=8, uses_rank_pattern=False, top_k=2, shares=shares, losses=(), examples=4,
        tuning=Tuning(learning_rate=1e-3, epochs=1),
        files={}, packages={},
    )  # fmt: skip


def some_contributions(experts: int, *, exact: bool = True) -> Contributions:
    found = tuple(
        Contribution(
            source=Source(repo=f"owner/expert-{i}", revision=f"{i:040x}"), shapley=i / 100 - 0.02, low=i / 100 - 0.04,
            high=i / 100, leave_one_out=0.0, loo_low=-0.1, loo_high=0.1,
        )
        for i in range(experts)
    )  # fmt: skip
    return Contributions(
        metric="exact_match", n=20, coalitions=2**experts, exact=exact, empty=0.2, whole=0.6, experts=found
    )


def test_a_cell_is_the_share_of_one_expert_in_one_layers_modules_of_a_kind() -> None:
    """Layers by number, kinds in the order of a block; modules of one kind in a layer are averaged."""
    kinds, layers, tables = kind_shares(
        a_build(
            {
                "model.layers.10.mlp.experts.0.up_proj": (0.1, 0.9),
                "model.layers.10.mlp.experts.1.up_proj": (0.3, 0.7),
                "model.layers.2.self_attn.v_proj": (0.6, 0.4),
                "model.layers.10.self_attn.v_proj": (0.2, 0.8),
                "lm_head": (1.0, 0.0),
                "model.layers.2.self_attn.q_proj": (0.5, 0.5),
            }
        )
    )
    assert kinds == ["q_proj", "v_proj", "up_proj", "lm_head"]
    assert layers == ["2", "10", "-"]
    assert tables[1][0][:2] == [0.6, 0.2]
    assert tables[1][1][:2] == [0.4, 0.8]
    assert tables[2][1][1] == pytest.approx(0.8)
    assert tables[3][0][2] == 1.0
    assert isnan(tables[1][0][2])
    assert isnan(tables[2][0][0])


@pytest.mark.parametrize(("experts", "kinds", "layers"), [(1, 1, 1), (4, 2, 30), (16, 7, 30), (3, 5, 2)])
def test_the_map_is_drawn_and_equal_builds_give_equal_bytes(
    experts: int, kinds: int, layers: int, tmp_path: Path
) -> None:
    shares = {f"layers.{la}.{kind}": (1 / experts,) * experts for la in range(layers) for kind in KINDS[:kinds]}
    for name in ("one", "two"):
        save(partial(share_map, a_build(shares)), tmp_path / f"{name}.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_a_line_marks_where_an_expert_has_no_weights() -> None:
    """Three experts with two, three and four kinds of module, four kinds in the mixture."""
    figure: Any = share_map(a_build({f"layers.0.{kind}": (0.2, 0.3, 0.5) for kind in KINDS[:4]}))
    struck = {
        axes.get_title(loc="left") or axes.get_title(): [line.get_ydata()[0] for line in axes.lines]
        for axes in figure.axes[:4]
    }
    assert struck == {"q_proj": [], "k_proj": [], "v_proj": [0], "o_proj": [0, 1]}


@pytest.mark.parametrize("experts", [1, 4, 16])
def test_the_bars_are_drawn(experts: int, tmp_path: Path) -> None:
    """One row an expert, the same in both panels."""
    save(partial(contribution_bars, some_contributions(experts)), tmp_path / "bars.png")
    assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG")


def test_the_bars_say_what_was_measured() -> None:
    """Numbers in points, the two ends of the game, and whether orders were drawn."""
    figure: Any = contribution_bars(some_contributions(4, exact=False))
    shapley, alone = figure.axes
    assert [text.get_text() for text in shapley.texts] == ["-2.0", "-1.0", "0.0", "+1.0"]
    assert [text.get_text() for text in alone.texts] == ["0.0"] * 4
    told = figure._supxlabel.get_text()
    assert told == (
        "exact_match on 20 examples: 20.0 with every expert silent, 60.0 with all; by drawn orders of joining"
    )
