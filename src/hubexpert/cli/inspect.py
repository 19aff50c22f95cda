"""`hubexpert inspect`: one adapter in full."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from hubexpert.cli.options import output_options, recipe_option
from hubexpert.cli.output import Out, size_text
from hubexpert.cli.questions import settled_base

if TYPE_CHECKING:  # records load pydantic
    from hubexpert.discover.examine import Examined


@click.command()
@click.argument("repo", metavar="REPO[@REVISION]")
@click.option("--base", help="Judge it for this base; by default for the recipe's, or the one it names itself.")
@recipe_option
@output_options
def inspect(repo: str, base: str | None, recipe: Path, out: Out) -> None:
    """Explain one adapter in full: what it is, and all that speaks against it."""
    from hubexpert.discover.examine import examine
    from hubexpert.discover.search import resolve_name
    from hubexpert.recipe import DiscoverSection, read_recipe

    asked_for = click.get_current_context().get_parameter_source("recipe") != ParameterSource.DEFAULT
    wanted = read_recipe(recipe) if asked_for or recipe.is_file() else None
    section = wanted.discover if wanted else DiscoverSection()
    if base is None and wanted:
        base = wanted.base
    meant = resolve_name(settled_base(base, out, offline=False))[0] if base else None
    name, _, revision = repo.strip().partition("@")
    found = examine(name, meant, section, revision=revision or None, quiet=out.quiet)
    out.records([found.model_dump(mode="json")])
    _show(found, out)


def _show(found: "Examined", out: Out) -> None:
    a = found.adapter
    count = f"{found.parameters:,}" if found.parameters is not None else None
    facts = [
        ("commit", a.source.revision),
        ("its base", f"{a.base} ({a.relation or 'another base'})" if a.base else None),
        ("type", a.peft_type),
        ("licence", a.source.license),
        ("weights", ", ".join(filter(None, (size_text(a.size), f"{count} numbers" if count else None))) or None),
        ("author", a.author),
        ("changed", (a.last_modified or "")[:10] or None),
        ("downloads, likes", f"{a.downloads:,}, {a.likes:,}"),
        ("datasets cited", ", ".join(a.datasets[:10]) or None),
        ("scans", "; ".join(found.scans) or "nothing found, or not scanned"),
    ]
    out.table(f"{a.source.repo}: {a.verdict}, for {found.base or 'no base'}", ("what", "is"), facts)
    for reason in a.reasons:
        out.text(f"  against it: {reason}")
    for remark in a.remarks:
        out.text(f"  note: {remark}")
    if a.reasons or a.remarks:
        out.text("")
    if found.modules:
        rows = [(m.target, m.modules, m.rank, _shape(m.outputs, m.inputs)) for m in found.modules]
        out.table("What it changes", ("modules", "how many", "rank", "shape"), rows)
    if found.configuration is not None:
        set_ = {
            key: value
            for key, value in sorted(found.configuration.items())
            if not (value is None or value is False or value in ({}, []))
        }
        fields = [(key, json.dumps(value, ensure_ascii=False)[:200]) for key, value in set_.items()]
        out.table("Its configuration, where anything is set", ("field", "value"), fields)
    out.hint("What the codes mean: docs/reason-codes.md")


def _shape(outputs: int | None, inputs: int | None) -> str | None:
    """The shape of a layer's weights, where the adapter tells it."""
    return f"[{outputs}, {inputs}]" if outputs and inputs else None
