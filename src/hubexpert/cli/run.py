"""`hubexpert run`: all stages, only what changed; here, or in a Hub Job."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubexpert.cli.output import Out, engine_options, output_options, processes_option, recipe_option

if TYPE_CHECKING:
    from hubexpert.jobs import Machine
    from hubexpert.lock import Lock
    from hubexpert.pipeline import Project
    from hubexpert.records import Compared

COMPARED = {"outcome", "published", "difference", "low", "high", "p", "n"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(given: str) -> int:
    """A time such as `90m` in seconds."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", given)
    if not found or float(found[1]) * SECONDS[found[2]] < 1:
        raise click.BadParameter(f"{given!r} is no time such as 90m, 2h or 1d.")
    return int(float(found[1]) * SECONDS[found[2]])


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
@click.option("--on", type=click.Choice(["hf-jobs"]), help="Run in a job of the Hub, and fetch the result.")
@click.option("--flavor", metavar="NAME", default="a10g-small", show_default=True, help="The job's machine.")
@click.option(
    "--timeout",
    metavar="TIME",
    default="2h",
    show_default=True,
    callback=lambda _context, _option, given: _seconds(given),
    help="After which the job ends; what it has is kept.",
)
@click.option("--namespace", metavar="ORG", help="Who pays for the job and keeps its files, instead of you.")
@click.option("--cancel", "cancelled", is_flag=True, help="End the job that was started last for this recipe.")
@output_options
def run(
    recipe: Path,
    refresh: bool,
    compare: str | None,
    engine: str,
    workers: int | None,
    processes: int | None,
    on: str | None,
    flavor: str,
    timeout: int,
    namespace: str | None,
    cancelled: bool,
    out: Out,
) -> None:
    """Run all stages up to the card; only what changed."""
    if cancelled and not on:
        raise click.UsageError("--cancel ends a job: it goes with --on hf-jobs.")
    if on and engine != "local":
        raise click.UsageError("A job is one machine: --engine ray does not go with --on hf-jobs.")
    if on and compare:
        raise click.UsageError("--compare measures on this machine: fetch the job's result, then run without --on.")
    if cancelled:
        _cancel(recipe, out)
        return
    if on:
        from hubexpert.jobs import Machine

        number = "auto" if processes is None else str(processes)
        options = (*(("--processes", number) if number != "1" else ()), *(("--refresh",) if refresh else ()))
        _run_elsewhere(recipe, Machine(flavor, timeout, namespace, options), refresh, out)
        return
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
    from hubexpert.cli.score import show_scores, show_teacher

    if not out.json:
        show_scores(lock.scores, out)
        show_teacher(project.rationales.counts, out)
        if len(lock.build.experts) < project.recipe.experts.count:
            out.hint(f"Only {len(lock.build.experts)} of {project.recipe.experts.count} experts: the pool has no more.")
    show_lock(lock, project.folder, out, compared=compared)


def _run_elsewhere(recipe: Path, machine: "Machine", refresh: bool, out: Out) -> None:
    """The same by a job of the Hub."""
    from hubexpert import hub
    from hubexpert.cli.score import show_scores
    from hubexpert.jobs import run_elsewhere

    hub.show_progress(not out.quiet)
    lock = run_elsewhere(recipe, machine, again=refresh, tell=out.hint)
    if not out.json:
        show_scores(lock.scores, out)
    show_lock(lock, recipe.parent, out)


def _cancel(recipe: Path, out: Out) -> None:
    from hubexpert.jobs import cancel

    url = cancel(recipe)
    out.records([{"cancelled": url}])
    out.text(f"Cancelled: {url}" if url else "No job of this recipe runs.")


def show_lock(lock: "Lock", beside: Path, out: Out, *, compared: "Compared | None" = None) -> None:
    """What was chosen, the comparison, and where things lie."""
    from hubexpert.assemble import PUBLISH
    from hubexpert.cli.evaluate import show_report
    from hubexpert.licenses import conflicts, parts
    from hubexpert.lock import DEFAULT_LOCK
    from hubexpert.workspace import WORKSPACE

    path, card = beside / DEFAULT_LOCK, beside / WORKSPACE / PUBLISH / "README.md"
    told = compared.model_dump(mode="json", include=COMPARED) if compared else None
    out.records([{"verdict": lock.report.verdict, "lock": str(path), "card": str(card), "compared": told}])
    if out.json:
        return
    experts = [(e.source.repo, e.rank, " ".join(e.target_modules), e.share) for e in lock.build.experts]
    out.table("Experts chosen", ("expert", "rank", "modules", "routing share"), experts)
    show_report(lock.report, out)
    out.text(f"Lock: {path}")
    out.text(f"Card: {card}")
    if why := conflicts(parts(lock)):
        out.hint(f"Their licences conflict, so publishing it will be refused: {why[0]}.")
    if compared:
        out.text(f"Against what is published: {compared.outcome}. {compared.sentence}")
    against = [] if lock.report.verdict == "ship" else ["the verdict"]
    against += ["the comparison"] if compared and compared.outcome == "worse" else []
    speaks = "speaks" if len(against) == 1 else "speak"
    publish = "hubexpert publish" + (f" --force  ({' and '.join(against)} {speaks} against it)" if against else "")
    out.hint(f"Next: {publish}")
