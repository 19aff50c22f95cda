"""`hubexpert select`: choose the experts."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubexpert.cli.options import FILE, output_options, recipe_option
from hubexpert.cli.output import WIDTH, Out

if TYPE_CHECKING:
    from hubexpert.records import Selection


@click.command()
@recipe_option
@click.option(
    "--figure",
    type=FILE,
    help="Draw how alike the shortlist's adapters are into this PNG file.",
)
@output_options
def select(recipe: Path, figure: Path | None, out: Out) -> None:
    """Choose the experts."""
    from hubexpert import pipeline

    project = pipeline.open_project(recipe, quiet=out.quiet)
    with project.workspace.locked():
        selection = pipeline.select(project)
    show_selection(selection, out)
    count = project.recipe.experts.count
    if len(selection.chosen) < count:
        out.hint(f"Only {len(selection.chosen)} of {count} experts: the pool has no more.")
    if figure is not None:
        from hubexpert.heatmap import draw_heatmap

        draw_heatmap(selection, figure)
        out.hint(f"The figure is in {figure}.")


def show_selection(selection: "Selection", out: Out) -> None:
    """Every adapter's ranks, and why it was chosen or not; how alike those of the shortlist are."""
    nearest = [selection.nearest(place) for place in range(len(selection.pool))]
    out.records(
        {
            "repo": s.source.repo,
            "chosen": s.chosen,
            "rank_em": s.rank_em,
            "rank_ppl": s.rank_ppl,
            "rank_adapted": s.rank_adapted,
            "place": place,
            "nearest": selection.pool[near[0]].source.repo if near else None,
            "cosine": near[1] if near else None,
            "reason": s.reason,
        }
        for place, (s, near) in enumerate(zip(selection.pool, nearest, strict=True), start=1)
    )
    adapted = any(s.rank_adapted is not None for s in selection.pool)
    by = ("rank by metric", "rank by perplexity", *(("rank by adapted perplexity",) if adapted else ()))
    rows = [
        (
            "*" if s.chosen else "",
            place,
            s.source.repo,
            f"{s.rank_em:g}",
            f"{s.rank_ppl:g}",
            *((f"{s.rank_adapted:g}",) if adapted else ()),
            f"{near[0] + 1} ({near[1]:.3f})" if near else "",
            s.reason.split(": ", 1)[1],
        )
        for place, (s, near) in enumerate(zip(selection.pool, nearest, strict=True), start=1)
    ]
    how = "" if selection.search == "exact" else "by swaps "
    groups = f"{selection.groups:,} groups of {len(selection.chosen)} of the {len(selection.shortlist)} best"
    out.table(f"Experts, chosen {how}among {groups}", ("", "place", "adapter", *by, "most like", "why"), rows)
    if len(selection.shortlist) > 1:
        show_similarity(selection, out)


def show_similarity(selection: "Selection", out: Out) -> None:
    """The cosines of the shortlist: shaded in a terminal, bare numbers elsewhere."""
    from hubexpert.heatmap import heat_lines

    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else WIDTH
    out.text("How alike they are: cosines in hundredths, numbers are places, * chosen")
    lines = heat_lines(
        selection, width=width, shaded=terminal and (sys.stdout.encoding or "").lower().startswith("utf")
    )
    for line in lines:
        out.text(line)
    if missing := len(selection.shortlist) - (len(lines) - 1):
        out.hint(f"{missing} more of the shortlist do not fit; --figure FILE.png shows up to 40.")
