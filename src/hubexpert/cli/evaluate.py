"""`hubexpert evaluate`: compare the mixture with cheaper systems."""

from pathlib import Path

import click

from hubexpert.cli.options import output_options, processes_option, recipe_option
from hubexpert.cli.output import Out


@click.command()
@recipe_option
@click.option("--draws", type=click.IntRange(min=2), help="Repeat the whole line on that many draws of the shots.")
@processes_option
@output_options
def evaluate(recipe: Path, draws: int | None, processes: int | None, out: Out) -> None:
    """Compare the mixture with cheaper systems on held-out examples."""
    from hubexpert import pipeline

    project = pipeline.open_project(recipe, quiet=out.quiet, processes=processes)
    with project.workspace.locked():
        if draws is not None:
            show_draws(pipeline.draws(project, draws), out)
            return
        lock = pipeline.lock(project)
    show_report(lock.report, out)
    out.hint(f"Lock: {project.lock_path}")


def show_report(report: "Report", out: Out) -> None:  # type: ignore[name-defined]  # noqa: F821  records load pydantic
    """The comparison, the paired differences, the contributions and the verdict."""
    from hubexpert.verdict import millions, shown, told_p

    columns = ("name", "metric", "value", "low", "high", "n")
    out.records({key: getattr(s, key) for key in columns} for s in report.systems)
    out.records([{"verdict": report.verdict}])
    rows = []
    for s in report.systems:
        size = millions(s.cost.parameters) if s.cost and s.cost.parameters else "-"
        time = f"{s.cost.latency:.2f}" if s.cost and s.cost.latency is not None else "-"
        rows.append((s.name, s.value, f"{s.low:.3f} to {s.high:.3f}", size, time, s.note))
    n, title = report.systems[0].n, "Held-out comparison"
    if report.protocol == "cross-validation":
        title = "Cross-validation on the shots"
    metric = report.systems[0].metric
    out.table(f"{title} on {n} examples", ("system", metric, "95 % interval", "parameters", "time", "which"), rows)
    if report.chance is not None:
        out.text(f"Without any skill (the commonest answer, or a guess among choices): {report.chance:.3f}")
    gains = [
        (f"routed - {d.second}", d.value, f"{d.low:+.3f} to {d.high:+.3f}", told_p(d.adjusted), _word(shown(d), d.high))
        for d in report.differences
    ]
    out.table("Paired differences", ("difference", "mean", "95 % interval", "p (Holm)", "shown"), gains)
    show_contributions(report, out)
    out.text(f"Verdict: {report.verdict}. {report.sentence}")


def show_contributions(report: "Report", out: Out) -> None:  # type: ignore[name-defined]  # noqa: F821
    """What each expert contributes, where it was measured."""
    found = report.contributions
    if found is None:
        return
    rows = [
        (
            e.source.repo,
            f"{e.shapley:+.3f}",
            f"{e.low:+.3f} to {e.high:+.3f}",
            f"{e.leave_one_out:+.3f}",
            f"{e.loo_low:+.3f} to {e.loo_high:+.3f}",
        )
        for e in found.experts
    ]
    title = f"Contributions on {found.n} examples: {found.empty:.3f} without experts, {found.whole:.3f} with all"
    out.table(title, ("expert", "Shapley value", "95 % interval", "lost without it", "95 % interval"), rows)


def show_draws(reports: "list[Report]", out: Out) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Every system's score in every draw, the mean over them, and each draw's verdict."""
    from statistics import fmean

    told = [{s.name: s.value for s in report.systems} for report in reports]
    names = [name for name in told[0] if all(name in each for each in told)]
    out.records({"name": name, "values": [each[name] for each in told]} for name in names)
    out.records([{"verdicts": [report.verdict for report in reports]}])
    rows = [(name, *(each[name] for each in told), fmean(each[name] for each in told)) for name in names]
    heads = ("system", *(f"draw {number}" for number in range(1, len(told) + 1)), "mean")
    out.table(f"{reports[0].systems[0].metric} on {reports[0].systems[0].n} held-out examples", heads, rows)
    for number, report in enumerate(reports, start=1):
        out.text(f"Draw {number}: {report.verdict}. {report.sentence}")


def _word(better: bool, high: float) -> str:
    return "routed is better" if better else "routed is worse" if high < 0 else "neither is shown to be better"
