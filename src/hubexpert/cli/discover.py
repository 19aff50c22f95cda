"""`hubexpert discover`: the adapters and datasets of a base, each with a verdict."""

import importlib.util
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from hubexpert.cli.output import Out, output_options, recipe_option
from hubexpert.cli.questions import settled_base

if TYPE_CHECKING:  # records load pydantic
    from hubexpert.records import Candidate, DatasetCandidate, Discovery

ROWS = 40  # accepted adapters in the table
REFUSED_ROWS = 8
# The first keys of a line of `--json`; the others follow in the order of the record.
KEYS = (
    *("repo", "revision", "verdict", "reasons", "found_by"),
    *("rank", "target_modules", "license", "downloads"),
)


@click.command()
@click.option("--base", help="Look for this base without a recipe; the result is only shown.")
@recipe_option
@click.option("--limit", type=click.IntRange(min=1), help="How many adapters are inspected at most.")
@click.option("--sort", type=click.Choice(["downloads", "likes", "modified"]), help="Which are inspected first.")
@click.option("--license", "licenses", multiple=True, metavar="ID", help="A licence that is admitted; repeatable.")
@click.option("--max-rank", type=click.IntRange(min=1), help="The largest rank that is admitted.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="Only what changed on DAY or later.")
@click.option("--finetunes", is_flag=True, help="Admit adapters of fine-tunes of the base.")
@click.option("--include", multiple=True, metavar="REPO", help="An adapter to inspect whatever its tags; repeatable.")
@click.option("--refresh", is_flag=True, help="Read the Hub's listings anew, not only what changed.")
@click.option("--offline", is_flag=True, help="Ask nothing; judge what is known on this machine.")
@click.option(
    "--show", type=click.Choice(["adapters", "datasets"]), help="Only these; --json shows adapters by default."
)
@output_options
def discover(
    base: str | None, recipe: Path, refresh: bool, offline: bool, show: str | None, out: Out, **asked: Any
) -> None:
    """Find the adapters and datasets of a base, each with a verdict."""
    from hubexpert import discover as discovery
    from hubexpert.recipe import DiscoverSection, read_recipe
    from hubexpert.workspace import WORKSPACE, Workspace

    base = settled_base(base, out, offline=offline) if base is not None else None
    wanted = read_recipe(recipe) if base is None else None
    section = discovery.without_own(wanted) if wanted else DiscoverSection()
    changed = _changed(section, **asked)
    if wanted and changed == section and not offline:
        workspace = Workspace(recipe.parent / WORKSPACE)
        with workspace.locked():
            found, _ = discovery.discover_step(wanted, workspace, again=True, quiet=out.quiet, refresh=refresh)
        show_discovery(found, discovery.refused_in(workspace), show, out)
        return
    with TemporaryDirectory() as folder:
        refused = Path(folder) / "refused.jsonl"
        name = wanted.base if wanted else base or ""
        with discovery.writing(refused) as each:
            found = discovery.discover(name, changed, each=each, refresh=refresh, offline=offline, quiet=out.quiet)
        show_discovery(found, refused, show, out)
    if wanted:
        out.hint("Only shown: what was asked for is not in the recipe. To keep it, write it under `discover:`.")


def _changed(
    section: Any,
    *,
    limit: int | None,
    sort: str | None,
    licenses: tuple[str, ...],
    max_rank: int | None,
    since: datetime | None,
    finetunes: bool,
    include: tuple[str, ...],
) -> Any:
    """The recipe's section with what the command line asks for instead."""
    told = {
        "limit": limit,
        "sort": sort,
        "licenses": licenses,
        "max_rank": max_rank,
        "since": since.date() if since else None,
        "finetunes": finetunes,
        "include": (*section.include, *include) if include else (),
    }
    return section.model_copy(update={key: value for key, value in told.items() if value})


def show_discovery(found: "Discovery", refused: Path, show: str | None, out: Out) -> None:
    """The adapters, accepted ones first, how many of each verdict, the datasets, and what to do next.

    Args:
        found: what was inspected.
        refused: the file of those that were refused without an inspection.
        show: `adapters` or `datasets` only.
        out: where to.
    """
    from hubexpert.discover import read_refused

    if show != "datasets":
        out.records(map(_adapter, found.candidates))
        out.records(map(_adapter, read_refused(refused)))
        _show_adapters(found, out)
    if show != "adapters" and found.datasets:
        if show == "datasets":
            out.records(dataset.model_dump(mode="json") for dataset in found.datasets)
        _show_datasets(found, out)
    for candidate in found.candidates:
        if "id" in candidate.found_by and candidate.verdict != "accepted":
            out.hint(f"{candidate.source.repo} (named) is refused: {' '.join(candidate.reasons)}")
    if found.candidates or found.verdicts:
        accepted, total = found.verdicts.get("accepted", 0), sum(found.verdicts.values())
        out.hint(f"{accepted:,} of {total:,} may be used. Why not another: hubexpert inspect OWNER/NAME")


def _adapter(c: "Candidate") -> dict[str, Any]:
    """A candidate as one line of `--json`: docs/discover.md says what the keys mean."""
    fields = {**c.model_dump(mode="json"), "repo": c.source.repo, "revision": c.source.revision}
    fields["license"] = fields.pop("source")["license"]
    return {**{key: fields[key] for key in KEYS}, **fields}


def _show_adapters(found: "Discovery", out: Out) -> None:
    from hubexpert.discover.reasons import MEANINGS

    if not found.verdicts:
        out.hint(f"No adapter of {found.base} was found on {found.endpoint}. Name one with --include OWNER/NAME.")
        return
    accepted = found.accepted
    others = [c for c in found.candidates if c.verdict != "accepted"]
    columns = ("adapter", "type", "rank", "modules", "licence", "downloads", "changed", "verdict")
    rows = [_row(c) for c in (*accepted[:ROWS], *others[:REFUSED_ROWS])]
    if rows:
        out.table(f"Adapters of {found.base}", columns, rows)
    if len(accepted) > ROWS:
        out.text(f"… and {len(accepted) - ROWS:,} more that were accepted: --json lists them all.")
    meanings = {"accepted": "may be used", **{str(code): told for code, told in MEANINGS.items()}}
    counts = sorted(found.verdicts.items(), key=lambda item: (item[0] != "accepted", -item[1]))
    rows = [(verdict, f"{count:,}", meanings.get(verdict, "")) for verdict, count in counts]
    out.table(f"Verdicts on {sum(found.verdicts.values()):,} adapters", ("verdict", "adapters", "the adapter"), rows)
    names = [f"{relative.repo} ({relative.relation})" for relative in found.relatives]
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        out.text(f"Taken for the base, too: {', '.join(names[:5])}{more}")


def _show_datasets(found: "Discovery", out: Out) -> None:
    accepted = [d for d in found.datasets if d.verdict == "accepted"]
    columns = ("dataset", "cited by", "rows", "size", "licence", "columns", "verdict")
    rows = [
        (
            d.repo,
            len(d.cited_by),
            _rows(d),
            _size(d.size),
            d.source.license if d.source else None,
            _columns(d),
            d.verdict,
        )
        for d in (*accepted, *(d for d in found.datasets if d.verdict != "accepted"))
    ]
    out.table(f"Datasets ({len(accepted)} of {len(rows)} may be used)", columns, rows)
    for dataset in accepted:
        if dataset.sample:
            fields = "; ".join(f"{name}: {value[:100]}" for name, value in dataset.sample.items())
            out.text(f"  {dataset.repo}, first row: {fields}")
    if accepted and not any(d.sample for d in accepted) and importlib.util.find_spec("datasets") is None:
        out.hint("No rows of datasets were read: that needs pip install 'hubexpert[train]'.")


def _rows(dataset: "DatasetCandidate") -> str | None:
    """The rows of all splits of the configuration that is read, as far as they are told."""
    wanted = dataset.mapping.config if dataset.mapping else None
    config = next((c for c in dataset.configs if wanted in (None, c.name)), None)
    known = [count for count in config.splits.values() if count is not None] if config else []
    return f"{sum(known):,}" if known else None


def _size(size: int | None) -> str | None:
    return None if size is None else f"{size / 1e6:,.1f} MB"


def _columns(dataset: "DatasetCandidate") -> str | None:
    """The columns that become an example's input and output."""
    mapping = dataset.mapping
    return f"{' + '.join(mapping.input)} -> {mapping.output}" if mapping else None


def _row(c: "Candidate") -> tuple[object, ...]:
    """One candidate's line in the table."""
    day = (c.last_modified or "-")[:10]
    kind = (c.peft_type or "-").lower().replace("lora", "LoRA")
    return c.source.repo, kind, c.rank, _targets(c.target_modules), c.source.license, f"{c.downloads:,}", day, c.verdict


def _targets(modules: tuple[str, ...], shown: int = 4) -> str:
    """The first modules, and how many more."""
    more = f" +{len(modules) - shown}" if len(modules) > shown else ""
    return " ".join(modules[:shown]) + more or "-"
