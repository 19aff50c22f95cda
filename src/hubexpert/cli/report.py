"""`hubexpert report`: one HTML page about the result, from the lock."""

from pathlib import Path

import click

from hubexpert.cli.options import FILE, output_options, recipe_option
from hubexpert.cli.output import Out


@click.command()
@recipe_option
@click.option(
    "--output",
    type=FILE,
    help="Where the page goes; by default .hubexpert/report.html beside the recipe.",
)
@output_options
def report(recipe: Path, output: Path | None, out: Out) -> None:
    """Write one HTML page about the result, from the lock.

    It needs nothing outside itself. Who spoke where, the map of rows and refused rows are on it where they were kept.
    """
    from hubexpert.cli.publish import hint_older_recipe
    from hubexpert.lock import DEFAULT_LOCK, read_lock
    from hubexpert.report import beside, write_report
    from hubexpert.workspace import WORKSPACE, Workspace

    lock = read_lock(recipe.parent / DEFAULT_LOCK)
    hint_older_recipe(recipe, out)
    workspace = Workspace(recipe.parent / WORKSPACE)
    known, path = beside(lock, workspace), output or workspace.root / "report.html"
    write_report(lock, known, path)
    out.records([{"report": str(path), "spoken": len(known.spoken), "map": known.map is not None}])
    out.text(str(path))
    if not known.spoken:
        out.hint("Who spoke where is not on it: hubexpert explain, then hubexpert report.")
    if lock.data and known.map is None:
        out.hint("The map of rows is not on it: hubexpert data --figure FILE.png, then hubexpert report.")
