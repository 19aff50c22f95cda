"""`hubexpert score`: score the accepted adapters on the shots."""

from pathlib import Path

import click

from hubexpert.cli.output import Out, engine_options, output_options, recipe_option


@click.command()
@recipe_option
@engine_options
@output_options
def score(recipe: Path, engine: str, workers: int | None, out: Out) -> None:
    """Score the accepted adapters on the shots."""
    from hubexpert import pipeline

    project = pipeline.open_project(recipe, quiet=out.quiet, engine=engine, workers=workers)
    with project.workspace.locked():
        table = pipeline.score(project)
    show_scores(table, out)
    show_teacher(project.rationales.counts, out)


def show_scores(table: "ScoreTable", out: Out) -> None:  # type: ignore[name-defined]  # noqa: F821  records load pydantic
    """The leaderboard, best first, and what was refused at load."""
    ranked = sorted(table.scores, key=lambda s: (-s.exact_match, s.perplexity))
    out.records(
        {
            "repo": s.source.repo,
            "revision": s.source.revision,
            "exact_match": s.exact_match,
            "perplexity": s.perplexity,
            "n": s.n,
            "low": s.low,
            "high": s.high,
            "conversion_error": s.conversion_error,
        }
        for s in ranked
    )
    columns = ["adapter", table.metric, "95 % interval", "perplexity"]
    rows = [[s.source.repo, s.exact_match, f"{s.low:.3f} to {s.high:.3f}", s.perplexity] for s in (*ranked, table.base)]
    if any(s.conversion_error is not None for s in ranked):
        columns.append("lost in conversion")
        for row, s in zip(rows, (*ranked, table.base), strict=True):
            row.append("" if s.conversion_error is None else f"{100 * s.conversion_error:.1f} %")
    out.table(f"Scores on {table.base.n} shots ({table.metric})", columns, rows)
    if not table.base.rationales:
        out.hint("Perplexity rests on bare outputs: the shots have no rationales.")
    for refused in table.refused:
        out.hint(f"refused {refused.source.repo}: {refused.code}: {refused.reason}")


def show_teacher(counts: "TeacherCounts", out: Out) -> None:  # type: ignore[name-defined]  # noqa: F821
    """What the teacher wrote; nothing where it was not asked."""
    if not counts.asked:
        return
    left = [f"{getattr(counts, name)} {name}" for name in ("refused", "malformed", "failed") if getattr(counts, name)]
    again = [f"{counts.reused} reused"] if counts.reused else []
    told = "; ".join(filter(None, (", ".join(left), *again)))
    wrote = f"{counts.written} rationale{'' if counts.written == 1 else 's'}"
    out.hint(f"The teacher wrote {wrote}{f' ({told})' if told else ''}.")
