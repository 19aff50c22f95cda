"""`hubexpert verify`: whether a published expert is what it says: exit code 0, 1 (it is not) or 3 (it has changed)."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubexpert.cli.options import output_options
from hubexpert.cli.output import Out

if TYPE_CHECKING:
    from hubexpert.verify import Check

CODES = {"verified": 0, "wrong": 1, "changed": 3}
SENTENCES = {
    "verified": "Files, lock and sources are those that were published.",
    "wrong": "This is not what was published.",
    "changed": "Files and lock are those that were published; something around them has changed.",
}


@click.command()
@click.argument("repo", metavar="REPO_OR_FOLDER")
@click.option("--revision", help="Of the repository: branch, tag or commit.")
@click.option(
    "--test",
    type=click.Path(path_type=Path, exists=True),
    help="Measure static and routed on these examples again; needs torch.",
)
@click.option("--offline", is_flag=True, help="Ask the Hub nothing: take the repository from the cache.")
@output_options
@click.pass_context
def verify(ctx: click.Context, repo: str, revision: str | None, test: Path | None, offline: bool, out: Out) -> None:
    """Check that a published expert is what it says: exit code 0, or 1 if not, or 3 if sources changed."""
    from hubexpert import hub
    from hubexpert.errors import HubExpertError
    from hubexpert.verify import open_copy, state
    from hubexpert.verify import verify as checks_of

    hub.show_progress(not out.quiet)
    if test and offline and not hub.offline():
        raise click.UsageError("With --test set HF_HUB_OFFLINE=1 instead of --offline: the base is loaded, too.")
    offline, made = offline or hub.offline(), []
    try:
        copy = open_copy(repo, revision=revision, offline=offline)
        for check in checks_of(copy, test=test, offline=offline, quiet=out.quiet):
            out.records([check.model_dump(mode="json")])
            made.append(check)
    except HubExpertError:
        out.records([{"state": "error", "repo": repo, "revision": None}])
        raise
    found = state(made)
    at = copy.source.revision if copy.source else None
    out.records([{"state": found, "repo": copy.name, "revision": at}])
    _show(made, f"{copy.name}{f' at {at[:8]}' if at else ''}: {found}", out)
    out.hint(SENTENCES[found])
    if left := sum(check.outcome == "unchecked" for check in made):
        out.hint(f"{left} of {len(made)} checks are left open.")
    ctx.exit(CODES[found])


def _show(checks: "list[Check]", title: str, out: Out) -> None:
    rows = [(f"{check.check} {check.about}".strip(), check.outcome, check.what) for check in checks]
    out.table(title, ("check", "outcome", "what"), rows)
    for line in (line for check in checks for line in check.lines):
        out.text(f"  {line}")
