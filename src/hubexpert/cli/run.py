"""`hubexpert run`: all stages, only what changed."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubexpert.cli.output import Out, engine_options, output_options, processes_option, recipe_option

if TYPE_CHECKING:
    from hubexpert.lock import Lock
    from hubexpert.pipeline import Project
    from hubexpert.records import Compared

COMPARED = {"outcome", "published", "difference", "low", "high", "p", "n"}


@click.command()
@recipe_option
@click.option("--refresh", is_flag=True, help="Ask the Hub again for the base and the adapters.")
@click.option(
    "--compare",
    type=click.Choice(["published"]),
    help="Measure the published one on the same held-out rows, too; publish then refuses what is worse.",
)
@engine_options
@processes_option
@output_options
def run(
    recipe: Path,
    refresh: bool,
    compare: str | None,
    engine: str,
    workers: int | None,
    processes: int | None,
    out: Out,
) -> None:
    """All stages up to the card; only what changed."""
    from hubexpert import pipeline

    project = pipeline.open_project(
        recipe, quiet=out.quiet, refresh=refresh, engine=engine, workers=workers, processes=processes
    )
    if compare:
        pipeline.rival(project)  # what it lacks is told before anything is made
    lock = pipeline.run(project)
    show_run(project, lock, out, compared=pipeline.compared(project, lock) if compare else None)


def show_run(project: "Project", lock: "Lock", out: Out, *, compared: "Compared | None" = None) -> None:
    """The leaderboard, the comparison, and where things lie."""
    from hubexpert.cli.evaluate import show_report
    from hubexpert.cli.score import show_scores, show_teacher
    from hubexpert.licenses import conflicts, parts

    folder = project.workspace.root / "publish"
    places = {"lock": str(project.lock_path), "card": str(folder / "README.md")}
    told = compared.model_dump(mode="json", include=COMPARED) if compared else None
    out.records([{"verdict": lock.report.verdict, **places, "compared": told}])
    if out.json:
        return
    show_scores(lock.scores, out)
    show_teacher(project.rationales.counts, out)
    if len(lock.build.experts) < project.recipe.experts.count:
        out.hint(f"Only {len(lock.build.experts)} of {project.recipe.experts.count} experts: the pool has no more.")
    experts = [(e.source.repo, e.rank, " ".join(e.target_modules), e.share) for e in lock.build.experts]
    out.table("Experts chosen", ("expert", "rank", "modules", "routing share"), experts)
    show_report(lock.report, out)
    out.text(f"Lock: {project.lock_path}")
    out.text(f"Card: {folder / 'README.md'}")
    if why := conflicts(parts(lock)):
        out.hint(f"Their licences conflict, so publishing it will be refused: {why[0]}.")
    if compared:
        out.text(f"Against what is published: {compared.outcome}. {compared.sentence}")
    against = [] if lock.report.verdict == "ship" else ["the verdict"]
    against += ["the comparison"] if compared and compared.outcome == "worse" else []
    publish = "hubexpert publish" + (f" --force  ({' and '.join(against)} speak against it)" if against else "")
    out.hint(f"Next: {publish}")
