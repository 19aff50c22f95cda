"""`hubexpert select`: choose the experts."""

from pathlib import Path

import click

from hubexpert.cli.output import Out, output_options, recipe_option


@click.command()
@recipe_option
@output_options
def select(recipe: Path, out: Out) -> None:
    """Choose the experts."""
    from hubexpert import pipeline

    project = pipeline.open_project(recipe, quiet=out.quiet)
    with project.workspace.locked():
        selection = pipeline.select(project)
    out.records(
        {
            "repo": s.source.repo,
            "chosen": s.chosen,
            "rank_em": s.rank_em,
            "rank_ppl": s.rank_ppl,
            "reason": s.reason,
        }
        for s in selection.pool
    )
    count = project.recipe.experts.count
    if len(selection.chosen) < count:
        out.hint(f"Only {len(selection.chosen)} of {count} experts: the pool has no more.")
    rows = [("*" if s.chosen else "", s.source.repo, s.rank_em, s.rank_ppl, s.reason) for s in selection.pool]
    title = f"Experts (chosen among {selection.groups} groups of the {len(selection.shortlist)} best)"
    out.table(title, ("", "adapter", "rank by metric", "rank by perplexity", "why"), rows)
