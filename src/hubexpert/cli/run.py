"""`hubexpert run`: all stages, only what changed; here, or in a Hub Job."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubexpert.cli.options import engine_options, job_options, output_options, processes_option, recipe_option
from hubexpert.cli.output import Out

if TYPE_CHECKING:
    from hubexpert.jobs import Machine
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
@job_options
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
    if cancelled:
        _cancel(recipe, out)
        return
    if on:
        from hubexpert.jobs import Machine

        number = "auto" if processes is None else str(processes)
        options = (*(("--processes", number) if number != "1" else ()), *(("--refresh",) if refresh else ()))
        options += ("--compare", compare) if compare else ()
        machine = Machine(flavor, timeout, namespace, options)
        _run_elsewhere(recipe, machine, out, refresh=refresh, compare=compare is not None)
        return
    from hubexpert import pipeline
    from hubexpert.publish import rival

    project = pipeline.open_project(
        recipe, quiet=out.quiet, refresh=refresh, engine=engine, workers=workers, processes=processes
    )
    if compare:
        rival(project.recipe)  # what it lacks is told before anything is made
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


def _run_elsewhere(recipe: Path, machine: "Machine", out: Out, *, refresh: bool, compare: bool) -> None:
    """The same by a job of the Hub."""
    from hubexpert import hub
    from hubexpert.cli.score import show_scores
    from hubexpert.jobs import run_elsewhere
    from hubexpert.publish import rival
    from hubexpert.recipe import read_recipe

    if compare:
        rival(read_recipe(recipe))  # what it lacks is told before anything is paid for
    hub.show_progress(not out.quiet)
    # what is published may have changed since a job compared with it
    lock = run_elsewhere(recipe, machine, again=refresh or compare, tell=out.hint)
    if not out.json:
        show_scores(lock.scores, out)
    show_lock(lock, recipe.parent, out, compared=_compared_there(recipe, lock) if compare else None)


def _compared_there(recipe: Path, lock: "Lock") -> "Compared":
    """How the job's result compares with what is published, as the job found.

    Raises:
        HubExpertError: the job, which had been started without that, compared nothing.
    """
    from hubexpert.errors import HubExpertError
    from hubexpert.lock import digest_of
    from hubexpert.publish import COMPARED
    from hubexpert.records import Compared
    from hubexpert.workspace import WORKSPACE, Workspace

    found = Workspace(recipe.parent / WORKSPACE).stored(COMPARED, Compared)
    if found is None or found.lock != digest_of(lock):
        fix = "the same command again: what the job made is kept, and only the comparison is left to do"
        raise HubExpertError("The job that was followed compared nothing: it was started without --compare.", fix=fix)
    return found


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
