"""`hubexpert discover`: the adapters and datasets of a base, each with a verdict."""

import importlib.util
from collections import Counter
from pathlib import Path

import click

from hubexpert.cli.output import Out, output_options, recipe_option


@click.command()
@click.option("--base", help="Look for this base without a recipe; the result is only shown.")
@recipe_option
@click.option("--limit", type=click.IntRange(min=1), help="How many adapters are inspected at most.")
@click.option("--include", multiple=True, metavar="REPO", help="An adapter to inspect whatever its tags; repeatable.")
@output_options
def discover(base: str | None, recipe: Path, limit: int | None, include: tuple[str, ...], out: Out) -> None:
    """Find the adapters and datasets of a base, each with a verdict."""
    from hubexpert import discover as discovery
    from hubexpert.recipe import DiscoverSection, read_recipe
    from hubexpert.workspace import WORKSPACE, Workspace

    wanted = read_recipe(recipe) if base is None else None
    section = discovery.without_own(wanted) if wanted else DiscoverSection()
    asked = section.model_copy(update={"limit": limit or section.limit, "include": (*section.include, *include)})
    if wanted and asked == section:
        workspace = Workspace(recipe.parent / WORKSPACE)
        with workspace.locked():
            found, _ = discovery.discover_step(wanted, workspace, again=True, quiet=out.quiet)
    else:
        found = discovery.discover(wanted.base if wanted else base or "", asked, quiet=out.quiet)
    show_discovery(found, out)
    if wanted and asked != section:
        out.hint("Only shown: --limit and --include are not in the recipe. To keep them, add them under `discover:`.")


def show_discovery(found: "Discovery", out: Out) -> None:  # type: ignore[name-defined]  # noqa: F821  records load pydantic
    """All candidates, accepted ones first; how many of each verdict; the datasets; what to do next."""
    out.records(
        {
            "repo": c.source.repo,
            "revision": c.source.revision,
            "verdict": c.verdict,
            "reasons": list(c.reasons),
            "found_by": list(c.found_by),
            "rank": c.rank,
            "target_modules": list(c.target_modules),
            "license": c.source.license,
            "downloads": c.downloads,
        }
        for c in found.candidates
    )
    if not found.candidates:
        out.hint(f"No adapter of {found.base} was found on {found.endpoint}. Name one with --include OWNER/NAME.")
        return
    rows = [_row(c) for c in sorted(found.candidates, key=lambda c: c.verdict != "accepted")]
    columns = ("adapter", "verdict", "rank", "modules", "licence", "downloads", "last change")
    out.table(f"Adapters of {found.base}", columns, rows)
    counts = Counter(c.verdict for c in found.candidates)
    out.table("Verdicts", ("verdict", "adapters"), counts.most_common())
    if found.datasets:
        data = [(d.repo, d.verdict, len(d.cited_by), d.source.license if d.source else None, _columns(d), d.reason)
                for d in found.datasets]  # fmt: skip
        out.table("Datasets", ("dataset", "verdict", "cited by", "licence", "columns", "remark"), data)
    if any(d.verdict == "accepted" for d in found.datasets) and importlib.util.find_spec("datasets") is None:
        out.hint("No rows of datasets were read: that needs pip install 'hubexpert[train]'.")
    for candidate in found.candidates:
        if "id" in candidate.found_by and candidate.verdict != "accepted":
            out.hint(f"{candidate.source.repo} (named) is refused: {' '.join(candidate.reasons)}")
    out.hint(f"{counts['accepted']} of {len(found.candidates)} may be used. Why the others not: --json, `reasons`.")


def _columns(dataset: "DatasetCandidate") -> str | None:  # type: ignore[name-defined]  # noqa: F821
    """The columns that become an example's input and output."""
    mapping = dataset.mapping
    return f"{' + '.join(mapping.input)} -> {mapping.output}" if mapping else None


def _row(c: "Candidate") -> tuple[object, ...]:  # type: ignore[name-defined]  # noqa: F821
    """One candidate's line in the table."""
    day = (c.last_modified or "-")[:10]
    return c.source.repo, c.verdict, c.rank, _targets(c.target_modules), c.source.license, c.downloads, day


def _targets(modules: tuple[str, ...], shown: int = 4) -> str:
    """The first modules, and how many more."""
    more = f" +{len(modules) - shown}" if len(modules) > shown else ""
    return " ".join(modules[:shown]) + more or "-"
