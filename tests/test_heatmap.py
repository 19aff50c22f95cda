"""How a selection is shown: the table, the heat table of a terminal, and the figure."""

import json
from pathlib import Path
from typing import Any

import pytest

from hubexpert.cli.output import Out
from hubexpert.cli.select import show_selection
from hubexpert.errors import HubExpertError
from hubexpert.heatmap import MOST_DRAWN, draw_heatmap, drawn, heat_lines
from hubexpert.records import Selected, Selection, Source


def a_selection(count: int, *, chosen: tuple[int, ...] = (0, 2), below: int = 0) -> Selection:
    """`count` on the shortlist and some below it; two adapters are the less alike the farther apart they stand."""
    names = [f"owner/adapter-{i}" for i in range(count + below)]
    pool = tuple(
        Selected(
            source=Source(repo=name, revision=f"{i:040x}"),
            chosen=i in chosen,
            rank_em=i + 1.0,
            rank_ppl=i + 1.5,
            reason=f"place {i + 1} of {len(names)}: for a reason",
        )
        for i, name in enumerate(names)
    )
    similarity = tuple(tuple(round(1 - 0.9 * abs(i - j) / count, 3) for j in range(count)) for i in range(count))
    return Selection(pool=pool, similarity=similarity, shortlist=tuple(names[:count]), groups=10)


def test_every_cosine_stands_in_hundredths_under_its_number() -> None:
    """Rows and columns are places; the chosen are marked; a cosine with itself is a dot."""
    lines = heat_lines(a_selection(4), width=100, shaded=False)
    assert lines[0].split() == ["1", "2", "3", "4"]
    assert [line.split() for line in lines[1:]] == [
        ["*", "1", "·", "78", "55", "32", "owner/adapter-0"],
        ["2", "78", "·", "78", "55", "owner/adapter-1"],
        ["*", "3", "55", "78", "·", "78", "owner/adapter-2"],
        ["4", "32", "55", "78", "·", "owner/adapter-3"],
    ]


def test_shades_grow_darker_with_the_cosine() -> None:
    """The most alike pair is solid; nothing stands behind what is hardly alike, or opposite."""
    similarity = ((1.0, 0.4, 0.25, -0.3), (0.4, 1.0, 0.1, 0.01), (0.25, 0.1, 1.0, 0.0), (-0.3, 0.01, 0.0, 1.0))
    selection = a_selection(4).model_copy(update={"similarity": similarity})
    lines = heat_lines(selection, width=100, shaded=True)
    assert "40█ 25▓-30 " in lines[1]
    assert "40█  ·  10░  1  " in lines[2]
    assert not set("".join(heat_lines(selection, width=100, shaded=False))) & set("░▒▓█")


@pytest.mark.parametrize("width", [30, 80, 120])
def test_lines_fit_the_terminal_and_the_chosen_stay(width: int) -> None:
    """What does not fit is left out, of the adapters those in the worst places that were not chosen."""
    selection = a_selection(60, chosen=(1, 59))
    lines = heat_lines(selection, width=width, shaded=True)
    assert max(map(len, lines)) <= width
    assert [line.split()[1] for line in lines if line.startswith("*")] == ["2", "60"]
    assert drawn(selection, 4) == [0, 1, 2, 59]


def test_names_cannot_reach_the_terminal_as_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Control and bidi characters of strangers are made visible."""
    selection = a_selection(2)
    name = "owner/\x1b[2Jcleared\u202e"
    odd = selection.pool[0].model_copy(update={"source": Source(repo=name, revision="0" * 40)})
    show_selection(selection.model_copy(update={"pool": (odd, selection.pool[1])}), Out())
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "cleared" in shown


def test_the_table_says_how_it_was_chosen_and_what_is_most_like_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers alone where there is no terminal; the rank by adapted perplexity only where it counts."""
    selection = a_selection(4, below=1)
    show_selection(selection, Out())
    shown = capsys.readouterr().out
    assert "Experts, chosen among 10 groups of 2 of the 4 best" in shown
    assert "3 (0.775)" in shown
    assert "adapted" not in shown
    assert not set(shown) & set("░▒▓█")
    searched = selection.model_copy(
        update={
            "search": "greedy-with-swap",
            "pool": tuple(s.model_copy(update={"rank_adapted": 7.5}) for s in selection.pool),
        }
    )
    show_selection(searched, Out())
    shown = capsys.readouterr().out
    assert "chosen by swaps among" in shown
    assert "7.5" in shown


def test_json_has_one_object_an_adapter(capsys: pytest.CaptureFixture[str]) -> None:
    """Also below the shortlist, where no cosine is known."""
    show_selection(a_selection(3, below=1), Out(json=True))
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(f["place"], f["nearest"], f["cosine"]) for f in found] == [
        (1, "owner/adapter-2", 0.4),
        (2, "owner/adapter-0", 0.7),
        (3, "owner/adapter-0", 0.4),
        (4, None, None),
    ]
    assert found[0] == {
        "repo": "owner/adapter-0", "chosen": True, "rank_em": 1.0, "rank_ppl": 1.5, "rank_adapted": None,
        "place": 1, "nearest": "owner/adapter-2", "cosine": 0.4, "reason": "place 1 of 4: for a reason",
    }  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 4, 40, MOST_DRAWN + 20])
def test_the_figure_is_drawn_and_equal_selections_give_equal_bytes(count: int, tmp_path: Path) -> None:
    """Few or many; a name with dollars is no formula."""
    selection = a_selection(count, chosen=(0, count - 1))
    odd = selection.pool[0].model_copy(update={"source": Source(repo=r"o/$\frac{1}$ \N{x}", revision="0" * 40)})
    selection = selection.model_copy(update={"pool": (odd, *selection.pool[1:])})
    draw_heatmap(selection, tmp_path / "one.png")
    draw_heatmap(selection, tmp_path / "two.png")
    drawn_bytes = (tmp_path / "one.png").read_bytes()
    assert drawn_bytes.startswith(b"\x89PNG")
    assert drawn_bytes == (tmp_path / "two.png").read_bytes()


def test_names_stand_in_the_figure_uncut(tmp_path: Path) -> None:
    """The longest names leave room for themselves: no label reaches over the figure's edge."""
    from hubexpert.figures import save
    from hubexpert.heatmap import heatmap

    selection = a_selection(6)
    long = tuple(
        s.model_copy(update={"source": Source(repo="o/" + "W" * 60, revision="0" * 40)}) for s in selection.pool
    )
    kept: list[Any] = []

    def drawing() -> Any:
        kept.append(heatmap(selection.model_copy(update={"pool": long})))
        return kept[0]

    save(drawing, tmp_path / "figure.png")
    assert kept[0].axes[0].get_tightbbox().x0 >= 0


def test_a_figure_that_cannot_be_written_is_an_error_with_a_fix(tmp_path: Path) -> None:
    """One sentence, no traceback."""
    with pytest.raises(HubExpertError) as caught:
        draw_heatmap(a_selection(2), tmp_path / "missing" / "figure.png")
    assert "--figure" in caught.value.fix
