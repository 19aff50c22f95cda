"""`hubexpert explain`: which expert spoke where, token by token."""

from pathlib import Path

import click

from hubexpert.cli.options import FILE, output_options, recipe_option
from hubexpert.cli.output import Out


@click.command()
@recipe_option
@click.option(
    "--examples", default=3, show_default=True, type=click.IntRange(min=1), help="How many held-out examples."
)
@click.option("--figure", type=FILE, help="Draw it into this PNG file, too.")
@output_options
def explain(recipe: Path, examples: int, figure: Path | None, out: Out) -> None:
    """Show which expert spoke where in the mixture's answers to a few examples.

    With --json an object an example: its tokens, every expert's share of each, where the answer begins.
    """
    from functools import partial

    from hubexpert import pipeline
    from hubexpert.figures import save
    from hubexpert.voices import voices_text
    from hubexpert.voices_figure import voices_figure

    project = pipeline.open_project(recipe, quiet=out.quiet)
    with project.workspace.locked():
        told, names = pipeline.spoken(project, examples)
    out.records(one.model_dump(mode="json") for one in told)
    out.coloured(voices_text(told, names))
    if figure:
        save(partial(voices_figure, told, names), figure)
        out.hint(f"Figure: {figure}")
