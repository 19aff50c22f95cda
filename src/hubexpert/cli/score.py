"""`hubexpert score`: score the accepted adapters on the shots."""

from pathlib import Path

import click

from hubexpert.cli.options import engine_options, output_options, recipe_option
from hubexpert.cli.output import Out


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
    ranked = sorted(table.scores, key=lambda s: (-s.n, -s.exact_match, s.perplexity))
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
            "adapted": s.adapted,
            "flags": s.flags,
        }
        for s in ranked
    )
    shown = (*ranked, table.base)
    columns = {
        "adapter": [s.source.repo for s in shown],
        table.metric: [s.exact_match for s in shown],
        "95 % interval": [f"{s.low:.3f} to {s.high:.3f}" for s in shown],
        "perplexity": [s.perplexity for s in shown],
    }
    if any(s.n < table.base.n for s in ranked):
        columns["shots"] = [s.n for s in shown]
    if any(s.adapted is not None for s in ranked):
        columns["adapted"] = [s.adapted for s in shown]
    if any(s.conversion_error is not None for s in ranked):
        lost = [s.conversion_error for s in shown]
        columns["lost in conversion"] = ["" if share is None else f"{100 * share:.1f} %" for share in lost]
    rows = list(zip(*columns.values(), strict=True))
    out.table(f"Scores on {table.base.n} shots ({table.metric})", list(columns), rows)
    show_flags(ranked, out)
    if not table.base.rationales:
        out.hint("Perplexity rests on bare outputs: the shots have no rationales.")
    for refused in table.refused:
        out.hint(f"refused {refused.source.repo}: {refused.code}: {refused.reason}")


def show_flags(scores: "Sequence[Score]", out: Out) -> None:  # type: ignore[name-defined]  # noqa: F821
    """What speaks against scores."""
    flagged = [score for score in scores if score.flags]
    if flagged:
        from hubexpert.experts.flag import sentence

        for score in flagged:
            for flag in score.flags:
                out.hint(f"{score.source.repo} {sentence(flag)} ({flag.partition(':')[0]}).")


def show_teacher(counts: "TeacherCounts", out: Out) -> None:  # type: ignore[name-defined]  # noqa: F821
    """What the teacher wrote; nothing where it was not asked."""
    if not counts.asked:
        return
    left = [f"{getattr(counts, name)} {name}" for name in ("refused", "malformed", "failed") if getattr(counts, name)]
    again = [f"{counts.reused} reused"] if counts.reused else []
    told = "; ".join(filter(None, (", ".join(left), *again)))
    wrote = f"{counts.written} rationale{'' if counts.written == 1 else 's'}"
    out.hint(f"The teacher wrote {wrote}{f' ({told})' if told else ''}.")
