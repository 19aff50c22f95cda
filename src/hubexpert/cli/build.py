"""`hubexpert build`: assemble and train the mixture."""

from pathlib import Path

import click

from hubexpert.cli.options import output_options, processes_option, recipe_option
from hubexpert.cli.output import Out


@click.command()
@recipe_option
@processes_option
@output_options
def build(recipe: Path, processes: int | None, out: Out) -> None:
    """Assemble and train the mixture."""
    from hubexpert import pipeline

    project = pipeline.open_project(recipe, quiet=out.quiet, processes=processes)
    with project.workspace.locked():
        made = pipeline.build(project)
    out.records([{"folder": str(project.workspace.root / "build"), **made.model_dump(mode="json")}])
    rows = [(e.source.repo, e.rank, " ".join(e.target_modules), e.share) for e in made.experts]
    out.table("The mixture", ("expert", "rank", "modules", "routing share"), rows)
    out.text(f"Rank {made.rank} in all, shared expert {made.shared_rank}; files in {project.workspace.root / 'build'}")
