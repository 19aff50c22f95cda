"""`hubexpert status`: fresh (exit code 0), stale with reasons (3) or an error (1)."""

from pathlib import Path

import click

from hubexpert.cli.options import output_options, recipe_option
from hubexpert.cli.output import Out

STALE = 3


@click.command()
@recipe_option
@click.option("--offline", is_flag=True, help="Ask nothing upstream: compare only what lies here.")
@click.option("--discover", is_flag=True, help="Look for new adapters of the base, too: they make it stale.")
@output_options
@click.pass_context
def status(ctx: click.Context, recipe: Path, offline: bool, discover: bool, out: Out) -> None:
    """Tell whether the published expert is fresh: exit code 0, or 3 when it is stale."""
    from hubexpert import hub
    from hubexpert.errors import HubExpertError
    from hubexpert.status import status as compare

    if discover and offline:
        raise click.UsageError("--discover asks the Hub: it does not go with --offline.")
    offline = offline or hub.offline()
    try:
        found = compare(recipe, offline=offline, discover=discover, quiet=out.quiet)
    except HubExpertError as error:
        out.records([{"state": "error", "reasons": [error.message]}])
        raise
    out.records([{"state": found.state, "reasons": list(found.reasons)}])
    out.text("\n".join([found.state, *(f"- {reason}" for reason in found.reasons)]))
    for remark in found.unchecked:
        out.hint(remark)
    if found.state == "stale":
        out.hint("Next: hubexpert run --refresh, then hubexpert publish")
        ctx.exit(STALE)
