"""`hubexpert ci`: what the GitHub Action runs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubexpert.cli.options import job_options, output_options, recipe_option, seconds
from hubexpert.cli.output import Out, as_called, printable

if TYPE_CHECKING:
    from hubexpert.ci.line import Outcome


@click.command()
@click.argument("what", type=click.Choice(["rebuild", "check"]), default="rebuild")
@recipe_option
@click.option("--repo", metavar="OWNER/NAME", help="Where to publish, instead of the recipe's `publish.repo`.")
@click.option(
    "--publish",
    "publishing",
    type=click.Choice(["commit", "pr", "none"]),
    default="commit",
    show_default=True,
    help="How it goes to the Hub: by a commit, by a pull request, or not at all.",
)
@click.option("--discover", is_flag=True, help="Rebuild also for new adapters on the Hub.")
@click.option("--force", is_flag=True, help="Publish although the verdict is not `ship`.")
@click.option(
    "--stop-after",
    "limit",
    metavar="TIME",
    callback=lambda _context, _option, given: seconds(given) if given else None,
    help="Stop the rebuild after a time such as 330m; what it has is kept, and the next one goes on there.",
)
@job_options
@output_options
@click.pass_context
def ci(
    ctx: click.Context,
    what: str,
    recipe: Path,
    repo: str | None,
    publishing: str,
    discover: bool,
    force: bool,
    limit: int | None,
    on: str | None,
    flavor: str,
    timeout: int,
    namespace: str | None,
    out: Out,
) -> None:
    """Rebuild and publish the expert where it is stale, or check a change of it: what the GitHub Action runs."""
    from functools import partial
    from typing import cast

    from hubexpert.ci.line import Publishing, check, failed, rebuild
    from hubexpert.ci.place import unheard
    from hubexpert.errors import HubExpertError

    where = ["--on", on, "--flavor", flavor, "--timeout", f"{timeout}s"] if on else []
    where += ["--namespace", namespace] if on and namespace else []
    how = cast("Publishing", publishing)
    rebuilding = partial(rebuild, publish=how, discover=discover, force=force, limit=limit, where=where)
    with unheard(os.environ):
        try:
            outcome = _at_the_hub(
                check if what == "check" else rebuilding, recipe, repo or None, checking=what == "check", on=on
            )
        except HubExpertError as error:
            outcome = failed(error)
        from hubexpert.ci.tell import outputs, tell, told

        if outcome.remark:
            click.echo(printable(as_called(outcome.remark, ctx.find_root().info_name, recipe)), err=True)
        for line in told(outcome):
            out.hint(line)
        tell(outcome, recipe, os.environ)
    out.records([{"state": outcome.state, "reasons": list(outcome.reasons), **outputs(outcome)}])
    out.text(outcome.state)
    if outcome.state == "failed":
        ctx.exit(1)


def _at_the_hub(
    do: "Callable[[Path], Outcome]", recipe: Path, repo: str | None, *, checking: bool, on: str | None
) -> "Outcome":
    """What comes of it, spoken to the Hub as the workflow may: without any secret where it only checks."""
    from hubexpert.ci.place import at_repo, with_identity, without_secrets
    from hubexpert.errors import HubExpertError
    from hubexpert.recipe import read_recipe

    wanted = repo or read_recipe(recipe).publish.repo
    # the Hub's client reads some of it once, when it is imported: only what comes after this may import it
    added = without_secrets() if checking else with_identity(os.environ, wanted)
    if on and not checking and added:
        raise HubExpertError(
            "A workflow's own identity can start no job of the Hub.",
            fix="store a token that may (`job.write`) as the secret HF_TOKEN (docs/ci.md)",
        )
    os.environ |= added
    with at_repo(recipe, repo) as meant:
        return do(meant)
