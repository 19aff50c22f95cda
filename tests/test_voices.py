"""Which expert spoke where, as coloured text: what is shown, in which colour, and what strangers' text cannot do."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hubexpert.figures import save
from hubexpert.records import TokenShares
from hubexpert.voices import COLOURS, OTHERS, voices_text
from hubexpert.voices_figure import MOST_LINES, voices_figure

NAMES = ("owner/first", "owner/second")


def told(tokens: list[tuple[str, tuple[float, ...]]], *, answer: int = 1) -> TokenShares:
    return TokenShares(example=2, tokens=tuple(t for t, _ in tokens), shares=tuple(s for _, s in tokens), answer=answer)


TOLD = told([("who", (0.9, 0.1)), (" speaks", (0.5, 0.5)), (" now", (0.2, 0.8)), ("\n", (0.4, 0.6)), ("?", (0.6, 0.4))])


def papers(one: TokenShares, names: tuple[str, ...]) -> dict[str, str]:
    """Piece of text -> the colour behind it."""
    text = voices_text([one], names)
    return {text.plain[s.start : s.end]: str(s.style).split(" on ")[-1] for s in text.spans if " on " in str(s.style)}


def test_a_token_has_the_colour_of_the_expert_it_listens_to_most() -> None:
    """The loudest token of all has the full colour, an even share the palest; the legend says what both are."""
    found = papers(TOLD, NAMES)
    assert found["who"] == COLOURS[0]
    assert found[" now"] != found["who"]
    assert found[" speaks"] == "#e0eef6"  # 12 % of the first expert's blue
    shown = voices_text([TOLD], NAMES).plain
    assert "1  first" in shown
    assert "2  second" in shown
    assert "a share of 90 %; palest: an even share, 50 %" in shown
    assert "example 3, prompt\nwho\n\nanswer\n speaks now↵\n?\n" in shown


def test_ink_can_be_read_on_every_paper() -> None:
    """The contrast is 4.5 or more (WCAG 2, level AA) on each colour at every depth."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for expert in range(7):
        shares = [tuple(depth / 20 if i == expert else 0.0 for i in range(7)) for depth in range(3, 21)]
        text = voices_text([told([(f"t{i}", share) for i, share in enumerate(shares)])], ["o/n"] * 7)
        styles = [str(s.style).split(" on ") for s in text.spans if " on " in str(s.style)]
        assert len(styles) == len(shares)
        for ink, paper in styles:
            light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_beyond_seven_experts_those_that_speak_most_have_colours() -> None:
    """Nine experts: the two that are heard least share the grey one."""
    shares = [tuple(0.9 if i == expert else 0.0125 for i in range(9)) for expert in range(9)]
    tokens = [(f"e{expert}-{i}", shares[expert]) for expert in range(9) for i in range(1 if expert in (0, 4) else 2)]
    names = tuple(f"owner/expert-{i}" for i in range(9))
    found = papers(told(tokens), names)
    assert found["e0-0"] == found["e4-0"] == OTHERS
    assert sorted({found[f"e{i}-0"] for i in range(9)}) == sorted({OTHERS, *COLOURS})
    shown = voices_text([told(tokens)], names).plain
    assert "the 2 others" in shown
    assert "1  expert-0" not in shown


def test_strangers_text_commands_nothing() -> None:
    """No markup, no escape, no bidi control, no tower of marks reaches the terminal; the rest stays as it is."""
    odd = "[bold red]x[/] \x1b[31m\u202e\r\t" + "e" + "\u0301" * 9
    one = told([(odd, (0.9, 0.1)), ("\u0301", (0.9, 0.1)), ("y", (0.9, 0.1))], answer=3)
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=200)
    console.print(voices_text([one], ("owner/[red]\x1b[2J", "owner/second")))
    written: Any = console.file
    shown = written.getvalue()
    assert "[bold red]x[/] \N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} " in shown
    for command in ("\x1b[31m", "\x1b[2J", "\u202e", "\r"):
        assert command not in shown
    assert shown.count("\u0301") == 2


LONG = told([(f" word{i}", (0.5 + 0.4 * (i % 2), 0.5 - 0.4 * (i % 2))) for i in range(1000)], answer=990)


@pytest.mark.parametrize("one", [TOLD, LONG, told([("$\\frac{1}$ 数 😀 e\u0301 \x07", (1.0,)), ("x" * 350, (1.0,))])])
def test_the_figure_is_drawn_and_equal_tokens_give_equal_bytes(one: TokenShares, tmp_path: Path) -> None:
    """A name with dollars is no formula, and a character that the font lacks is no warning."""
    names = ("owner/first", "owner/second")[: len(one.shares[0])]
    save(lambda: voices_figure([one], names), tmp_path / "one.png")
    save(lambda: voices_figure([one], names), tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_lines_fit_the_figure_and_of_long_prompts_the_end_is_drawn() -> None:
    """Text and the paper behind it begin together, are equally wide, and end within the figure."""
    figure: Any = voices_figure([LONG], NAMES)
    axes, renderer = figure.axes[0], figure.canvas.get_renderer()
    texts = {text.get_text(): text for text in axes.texts}
    papers = {(round(p.get_x()), round(p.get_y())): p.get_window_extent(renderer) for p in axes.patches}
    assert "example 3, prompt, its end" in texts
    assert " word0" not in texts
    for name in (" word900", " word989", " word999"):
        behind = min(papers.values(), key=lambda paper: _distance(paper, texts[name].get_window_extent(renderer)))
        written = texts[name].get_window_extent(renderer)
        assert behind.x0 - 1 <= written.x0
        assert abs(behind.x1 - written.x1) < 2
        assert behind.y0 <= written.y0 < written.y1 <= behind.y1
    assert max(paper.x1 for paper in papers.values()) <= axes.get_window_extent(renderer).x1
    lines = {y for _, y in papers}
    assert MOST_LINES < len(lines) <= MOST_LINES + 4  # the prompt's last, the answer's one, and the legend's two


def _distance(one: Any, other: Any) -> float:
    return abs(one.x0 - other.x0) + abs((one.y0 + one.y1) / 2 - (other.y0 + other.y1) / 2)
