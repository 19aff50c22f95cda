"""`hubexpert discover`: the adapters and datasets of a base, each with a verdict."""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from hubexpert.cli.discovered import show_discovery
from hubexpert.cli.options import output_options, recipe_option
from hubexpert.cli.output import Out
from hubexpert.cli.questions import settled_base
from hubexpert.errors import HubExpertError


@click.command()
@click.option("--base", help="Look for this base without a recipe; the result is only shown.")
@recipe_option
@click.option("--limit", type=click.IntRange(min=1), help="How many adapters are inspected at most.")
@click.option("--sort", type=click.Choice(["downloads", "likes", "modified"]), help="Which are inspected first.")
@click.option("--license", "licenses", multiple=True, metavar="ID", help="A licence that is admitted; may be repeated.")
@click.option("--max-rank", type=click.IntRange(min=1), help="The largest rank that is admitted.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="Only what changed on DAY or later.")
@click.option("--finetunes", is_flag=True, help="Admit adapters of fine-tunes of the base.")
@click.option(
    "--include", multiple=True, metavar="REPO", help="An adapter to inspect whatever its tags; may be repeated."
)
@click.option("--task", metavar="TEXT", help="What the task is: datasets are searched for it; else the recipe's.")
@click.option("--refresh", is_flag=True, help="Read the Hub's listings anew, not only what changed.")
@click.option("--offline", is_flag=True, help="Ask nothing; judge what is known on this machine.")
@click.option(
    "--show", type=click.Choice(["adapters", "datasets"]), help="Only these; --json shows adapters by default."
)
@output_options
def discover(
    base: str | None,
    recipe: Path,
    task: str | None,
    refresh: bool,
    offline: bool,
    show: str | None,
    out: Out,
    **asked: Any,
) -> None:
    """Find the adapters and datasets of a base, each with a verdict."""
    from hubexpert import discover as discovery
    from hubexpert.base import base_folder
    from hubexpert.recipe import DiscoverSection, is_folder, read_recipe
    from hubexpert.workspace import WORKSPACE, Workspace

    if base is None and not recipe.is_file():
        raise HubExpertError(
            f"There is no recipe at {recipe}, and no base is named.",
            fix="hubexpert discover --base BASE  (only shows), or hubexpert init --base BASE --shots FILE",
        )
    base = settled_base(base, out, offline=offline) if base is not None else None
    wanted = read_recipe(recipe) if base is None else None
    section = discovery.without_own(wanted) if wanted else DiscoverSection()
    if is_folder(name := wanted.base if wanted else base or ""):
        base_folder(recipe.parent if wanted else Path(), name)  # a path that is wrong has no adapters either
    changed = _changed(section, **asked)
    if wanted and changed == section and not offline and task is None:
        workspace = Workspace(recipe.parent / WORKSPACE)
        with workspace.locked():
            found, _ = discovery.discover_step(wanted, workspace, again=True, quiet=out.quiet, refresh=refresh)
        show_discovery(found, discovery.refused_in(workspace), show, out)
        return
    if show == "adapters" or (out.json and show is None):
        changed = changed.model_copy(update={"datasets": 0})  # nobody would see them
    with TemporaryDirectory() as folder:
        refused = Path(folder) / "refused.jsonl"
        meant = task or (discovery.task_of(wanted) if wanted else "")
        with discovery.writing(refused) as each:
            found = discovery.discover(
                name, changed, task=meant, each=each, refresh=refresh, offline=offline, quiet=out.quiet
            )
        show_discovery(found, refused, show, out)
    if wanted:
        kept = "write that into the recipe" if not offline else "run it with a network"
        out.hint(f"Only shown, since this is not what the recipe asks for. To keep the result, {kept}.")


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
