"""`hubexpert run`: all stages, only what changed."""

from pathlib import Path

import click

from hubexpert.cli.output import Out, engine_options, output_options, processes_option, recipe_option


@click.command()
@recipe_option
@click.option("--refresh", is_flag=True, help="Ask the Hub again for the base and the adapters.")
@engine_options
@processes_option
@output_options
def run(recipe: Path, refresh: bool, engine: str, workers: int | None, processes: int | None, out: Out) -> None:
    """All stages up to the card; only what changed."""
    from hubexpert import pipeline

    project = pipeline.open_project(
        recipe, quiet=out.quiet, refresh=refresh, engine=engine, workers=workers, processes=processes
    )
    show_run(project, pipeline.run(project), out)


def show_run(project: "Project", lock: "Lock", out: Out) -> None:  # type: ignore[name-defined]  # noqa: F821
    """The leaderboard, the comparison, and where things lie."""
    from hubexpert.cli.evaluate import show_report
    from hubexpert.cli.score import show_scores, show_teacher
    from hubexpert.licenses import conflicts, parts

    folder = project.workspace.root / "publish"
    out.records([{"verdict": lock.report.verdict, "lock": str(project.lock_path), "card": str(folder / "README.md")}])
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
    publish = "hubexpert publish" + ("" if lock.report.verdict == "ship" else " --force  (the verdict is against it)")
    out.hint(f"Next: {publish}")
