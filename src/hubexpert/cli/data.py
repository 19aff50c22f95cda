"""`hubexpert data`: what is trained on beyond the shots."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubexpert.cli.options import FILE, engine_options, output_options, recipe_option
from hubexpert.cli.output import Out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubexpert.records import AblationRow, Data, MethodReport, RefusedRow


@click.command()
@recipe_option
@click.option(
    "--figure",
    type=FILE,
    help="Draw shots, taken and refused rows as a map into this PNG file.",
)
@click.option(
    "--show",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="How many examples of each method are shown.",
)
@click.option("--ablation", is_flag=True, help="Train the mixture on each choice of rows, and compare (takes long).")
@engine_options
@output_options
def data(
    recipe: Path, figure: Path | None, show: int, ablation: bool, engine: str, workers: int | None, out: Out
) -> None:
    """Choose, and transform, rows of open datasets by the shots."""
    from hubexpert import pipeline

    project = pipeline.open_project(recipe, quiet=out.quiet, engine=engine, workers=workers)
    with project.workspace.locked():
        if ablation:
            show_ablation(pipeline.ablation(project), out)
            return
        made = pipeline.data(project)
        if figure is not None:
            pipeline.draw_data(project, figure)
    show_data(made, show, out)
    if not made.methods:
        out.hint("Nothing is added to the shots: `data.methods` names no method.")
        return
    out.hint(f"Examples: {project.workspace.root / 'examples.jsonl'}")
    if figure is not None:
        out.hint(f"The figure is in {figure}.")


def show_data(made: "Data", count: int, out: Out) -> None:
    """Every example with its origin; for people, what each method kept and refused, with examples."""
    out.records(each.model_dump(mode="json") for each in made.examples)
    if out.json or not made.methods:
        return
    _show_datasets(made, out)
    rows = [(m.method, m.considered, m.kept, _counted(m.refused)) for m in made.methods]
    out.table("Methods", ("method", "considered", "kept", "refused"), rows)
    for method in made.methods:
        _show_taken(made, method, count, out)
    samples = [*made.samples, *(sample for method in made.methods for sample in method.samples)]
    _show_refused(samples, out)
    for repo, why in made.unread.items():
        out.hint(f"{repo} was not read: {why}")


def show_ablation(rows: "Sequence[AblationRow]", out: Out) -> None:
    """What each choice of data adds."""
    out.records(row.model_dump(mode="json") for row in rows)
    others = [each.second for each in rows[-1].differences]
    told = []
    for row in rows:
        over = {each.second: f"{each.value:+.3f} [{each.low:+.3f}, {each.high:+.3f}]" for each in row.differences}
        told.append(
            (row.name, row.examples, row.value, f"{row.low:.3f} to {row.high:.3f}", *(over.get(o, "") for o in others))
        )
    heads = ("trained on", "examples", rows[0].metric, "95 % interval", *(f"minus {other}" for other in others))
    out.table(f"The routed mixture on {rows[0].n} held-out examples", heads, told)


def _show_datasets(made: "Data", out: Out) -> None:
    methods = [method.method for method in made.methods if method.method != "beacons"]
    rows = [
        (
            each.source.repo,
            each.source.license,
            each.read,
            _counted(each.removed),
            *(each.taken.get(m, 0) for m in methods),
        )
        for each in sorted(made.datasets, key=lambda each: (-sum(each.taken.values()), each.source.repo))
    ]
    out.table("Rows", ("dataset", "licence", "read", "removed", *methods), rows)
    varied = [(m.method, m.diversity) for m in made.methods if m.diversity]
    told = [
        (name, d.unique, d.unigrams, d.unigram_share, d.bigrams, d.bigram_share, d.datasets, d.largest)
        for name, d in varied
    ]
    heads = ("method", "unique", "words", "share", "pairs", "share", "datasets", "largest share")
    out.table("How varied", heads, told)


def _show_taken(made: "Data", method: "MethodReport", count: int, out: Out) -> None:
    own = [each for each in made.examples if each.origin and each.origin.method == method.method]
    rows = [
        (
            f"{each.origin.source.repo} {each.origin.row}",
            each.origin.closeness,
            each.weight,
            each.example.input[:120],
            each.example.output[:60],
        )
        for each in own[:count]
        if each.origin
    ]
    if rows:
        out.table(
            f"Taken by {method.method}, the first of them", ("row", "closeness", "weight", "input", "output"), rows
        )


def _show_refused(samples: "list[RefusedRow]", out: Out) -> None:
    rows = [(each.code, f"{each.source.repo} {each.row}", each.text[:100], each.reason) for each in samples]
    if rows:
        out.table("Refused, a few of each reason", ("code", "row", "text", "why"), rows)


def _counted(codes: dict[str, int]) -> str:
    return ", ".join(f"{code} {count}" for code, count in codes.items()) or "-"
