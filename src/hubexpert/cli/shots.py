"""`hubexpert shots`: are the examples fit to learn from, and a few of many."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubexpert.cli.options import FILE, output_options, recipe_option
from hubexpert.cli.output import Out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubexpert.shots import Line
    from hubexpert.vetting import Finding

_FILE = click.Path(path_type=Path)
MOST = 20  # places that are shown


@click.group()
def shots() -> None:
    """Check examples, and draw some of them."""


@shots.command()
@click.argument("file", type=_FILE, required=False)
@click.option("--test", type=_FILE, help="Held-out examples, beside FILE.")
@recipe_option
@output_options
@click.pass_context
def check(ctx: click.Context, file: Path | None, test: Path | None, recipe: Path, out: Out) -> None:
    """Check examples: exit code 0, or 1 on errors.

    Those in FILE, by default the recipe's shots and held-out ones, for duplicates, contradictions, labels, lengths,
    leaks between the two, and what looks personal or secret.
    """
    from hubexpert.shots import read_lines
    from hubexpert.vetting import check as findings_of
    from hubexpert.vetting import state

    if test and not file:
        raise click.UsageError("--test needs FILE.")
    instruction = ""
    if file is None:
        from hubexpert.recipe import read_recipe

        task, folder = read_recipe(recipe).task, recipe.parent
        file, test, instruction = folder / task.shots, folder / task.test if task.test else None, task.instruction
    learned = read_lines(file, instruction=instruction)
    held = read_lines(test, instruction=instruction) if test else ()
    found = findings_of(learned, held)
    out.records([told.model_dump(mode="json") for told in found])
    out.records([{"state": state(found), "examples": len(learned) + len(held)}])
    _show(found, out)
    _summary([(file, learned), *([(test, held)] if test else [])], found, out)
    ctx.exit(1 if state(found) == "errors" else 0)


def _show(found: "Sequence[Finding]", out: Out) -> None:
    for told in found:
        many = len(told.lines) + len(told.elsewhere) > 1
        numbers = ", ".join(map(str, told.lines[:MOST])) + (", …" if len(told.lines) > MOST else "")
        also = f" and {', '.join(told.elsewhere[:MOST])}" if told.elsewhere else ""
        out.text(f"{told.severity}: {told.code} in {told.file} line{'s' if many else ''} {numbers}{also}")
        out.text(f"  {told.sentence}\n  Fix: {told.fix}\n")


def _summary(read: "Sequence[tuple[Path, Sequence[Line]]]", found: "Sequence[Finding]", out: Out) -> None:
    from hubexpert.vetting.balance import shares

    for path, lines in read:
        out.text(f"{path}: {len(lines)} examples. {shares(lines) or 'Outputs are texts of their own.'}")
    wrong = sum(told.severity == "error" for told in found)
    out.hint(f"Errors: {wrong}. Warnings: {len(found) - wrong}.")


@shots.command()
@click.argument("file", type=_FILE)
@click.option("--k", "count", type=click.IntRange(min=1), required=True, help="How many examples.")
@click.option("--output", type=FILE, required=True, help="Into this file.")
@click.option("--stratify", is_flag=True, help="As many of each output as its share; one at least, where K allows.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed, other examples.")
@click.option("--force", is_flag=True, help="Write over a file that exists.")
@output_options
def sample(file: Path, count: int, output: Path, stratify: bool, seed: int, force: bool, out: Out) -> None:
    """Draw K of the examples in FILE.

    Their lines stay as they are, byte for byte.
    """
    from hubexpert.draw import draw
    from hubexpert.errors import HubExpertError
    from hubexpert.labels import labels
    from hubexpert.shots import read_lines
    from hubexpert.workspace import write_atomically

    if output.exists() and not force:
        raise HubExpertError(f"{output} exists already.", fix="name another with --output, or write over it: --force")
    lines = read_lines(file)
    sources = {path.resolve() for path in {file, *(line.file for line in lines)}}
    if not sources.isdisjoint((output.resolve(), output.resolve().parent)):
        raise HubExpertError(f"{output} is what is drawn from, or lies in it.", fix="name another with --output")
    drawn = draw(lines, count, stratify=stratify, seed=seed)
    write_atomically(output, "".join(f"{line.text}\n" for line in drawn))
    counts = {group[0].example.output: len(group) for group in labels(drawn).values()}
    out.records([{"output": str(output), "drawn": count, "of": len(lines), "seed": seed, "labels": counts}])
    out.text(f"{output}: {count} of {len(lines)} examples, seed {seed}.")
    if counts:
        out.table("Labels", ("output", "examples"), list(counts.items()))
    out.hint(f"Next: hubexpert shots check {output}")
