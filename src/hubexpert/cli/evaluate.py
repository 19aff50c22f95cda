"""`hubexpert evaluate`: compare the mixture with cheaper systems."""

from pathlib import Path

import click

from hubexpert.cli.output import Out, output_options, processes_option, recipe_option


@click.command()
@recipe_option
@processes_option
@output_options
def evaluate(recipe: Path, processes: int | None, out: Out) -> None:
    """Compare the mixture with cheaper systems on held-out examples."""
    from hubexpert import pipeline

    project = pipeline.open_project(recipe, quiet=out.quiet, processes=processes)
    with project.workspace.locked():
        lock = pipeline.lock(project)
    show_report(lock.report, out)
    out.hint(f"Lock: {project.lock_path}")


def show_report(report: "Report", out: Out) -> None:  # type: ignore[name-defined]  # noqa: F821  records load pydantic
    """The comparison, the paired differences and the verdict."""
    columns = ("name", "metric", "value", "low", "high", "n")
    out.records({key: getattr(s, key) for key in columns} for s in report.systems)
    out.records([{"verdict": report.verdict}])
    rows = [(s.name, s.value, f"{s.low:.3f} to {s.high:.3f}", s.n, s.note) for s in report.systems]
    out.table("Held-out comparison", ("system", report.systems[0].metric, "95 % interval", "examples", "which"), rows)
    if report.chance is not None:
        out.text(f"Without any skill (the commonest answer, or a guess among choices): {report.chance:.3f}")
    gains = [
        (f"routed - {d.second}", d.value, f"{d.low:+.3f} to {d.high:+.3f}", _word(d.low, d.high))
        for d in report.differences
    ]
    out.table("Paired differences", ("difference", "mean", "95 % interval", "shown"), gains)
    out.text(f"Verdict: {report.verdict}. {report.sentence}")


def _word(low: float, high: float) -> str:
    return "routed is better" if low > 0 else "routed is worse" if high < 0 else "neither is shown to be better"
