"""`hubexpert ci`: what the GitHub Action runs."""

import os
from pathlib import Path

import click

from hubexpert.cli.options import job_options, output_options, recipe_option
from hubexpert.cli.output import Out, printable


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
    on: str | None,
    flavor: str,
    timeout: int,
    namespace: str | None,
    out: Out,
) -> None:
    """Rebuild and publish the expert where it is stale, or check a change of it: what the GitHub Action runs."""
    from typing import cast

    from hubexpert.ci.place import at_repo, with_identity, without_secrets
    from hubexpert.errors import HubExpertError
    from hubexpert.recipe import read_recipe

    checking = what == "check"
    wanted = repo or read_recipe(recipe).publish.repo
    # the Hub's client reads some of it once, when it is imported: only what comes after this may import it
    added = without_secrets() if checking else with_identity(os.environ, wanted)
    if on and not checking and added:
        raise HubExpertError(
            "A workflow's own identity can start no job of the Hub.",
            fix="store a token that may (`job.write`) as the secret HF_TOKEN (docs/ci.md)",
        )
    os.environ |= added
    where = ["--on", on, "--flavor", flavor, "--timeout", f"{timeout}s"] if on else []
    where += ["--namespace", namespace] if on and namespace else []
    from hubexpert.ci.line import Publishing, check, rebuild
    from hubexpert.ci.tell import outputs, tell, told, unheard

    with at_repo(recipe, repo or None) as meant:
        with unheard(os.environ):
            if checking:
                outcome = check(meant)
            else:
                how = cast("Publishing", publishing)
                outcome = rebuild(meant, publish=how, discover=discover, force=force, where=where)
            if outcome.remark:
                click.echo(printable(outcome.remark), err=True)
            for line in told(outcome):
                out.hint(line)
        tell(outcome, meant, os.environ)
    out.records([{"state": outcome.state, "reasons": list(outcome.reasons), **outputs(outcome)}])
    out.text(outcome.state)
    if outcome.state == "failed":
        ctx.exit(1)
