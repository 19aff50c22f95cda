"""`hubexpert lock`: what the lock says, in short or in a form for other tools."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hubexpert.cli.options import FILE, output_options, recipe_option
from hubexpert.cli.output import Out, printable

if TYPE_CHECKING:
    from hubexpert.lock import Lock


@click.command()
@recipe_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "cyclonedx", "schema"]),
    help="The lock itself, its parts as a CycloneDX ML-BOM, or the JSON Schema of locks.",
)
@click.option("--output", type=FILE, help="Into this file, with --format.")
@output_options
def lock(recipe: Path, form: str | None, output: Path | None, out: Out) -> None:
    """Show what the lock pins and proves, or write it in a form for other tools.

    With --json an object a part: its role, repo, revision and licence; last the verdict and the digests.
    """
    if output and not form:
        raise click.UsageError("--output needs --format.")
    text = None if form is None else _text(form, recipe)
    if text is None:
        _told(_locked(recipe), out)
    elif output is None:
        # a terminal would obey control characters of strangers; a file or a pipe gets every byte
        click.echo(printable(text) if sys.stdout.isatty() else text.encode(), nl=False)
    else:
        from hubexpert.workspace import write_atomically

        write_atomically(output, text)
        out.records([{"file": str(output)}])
        out.text(str(output))


def _locked(recipe: Path) -> "Lock":
    from hubexpert.lock import DEFAULT_LOCK, read_lock

    return read_lock(recipe.parent / DEFAULT_LOCK)


def _text(form: str, recipe: Path) -> str:
    from hubexpert.lock import render_lock, schema_text

    if form == "schema":
        return schema_text()
    if form == "json":
        return render_lock(_locked(recipe))
    from hubexpert.bom import cyclonedx

    return cyclonedx(_locked(recipe))


def _told(kept: "Lock", out: Out) -> None:
    """The lock in short."""
    from hubexpert.recipe import parse_recipe

    parts, facts = _parts(kept), _facts(kept)
    out.records([*parts, facts])
    out.table(
        parse_recipe(kept.recipe, name="the recipe in the lock").task.name,
        ("part", "name", "commit", "licence"),
        [(part["role"], part["repo"], part["revision"], part["license"] or "none given") for part in parts],
    )
    out.text(f"{facts['verdict']}: {kept.report.sentence}")
    for name, digest in facts["digests"].items():
        out.text(f"{name:<5} sha256 {digest or 'unknown, the lock was written by an older version'}")


def _parts(kept: "Lock") -> list[dict[str, Any]]:
    """What the mixture is made of."""
    from hubexpert.lock import used

    found = [("base", kept.base), *(("expert", expert.source) for expert in kept.build.experts)]
    found += [("dataset", source) for source in used(kept)]
    return [{"role": role, **source.model_dump(include={"repo", "revision", "license"})} for role, source in found]


def _facts(kept: "Lock") -> dict[str, Any]:
    """The verdict, and the digests of the lock, the examples, and all that was trained on where that was more."""
    from hubexpert.lock import digest_of

    trained = {"data": kept.data.digest} if kept.data else {}
    return {
        "verdict": kept.report.verdict,
        "version": kept.version,
        "digests": {"lock": digest_of(kept), **kept.digests, **trained},
    }
