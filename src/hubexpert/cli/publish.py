"""`hubexpert publish`: the assembled folder as one commit on the Hub."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubexpert.cli.options import output_options, recipe_option
from hubexpert.cli.output import Out, size_text

if TYPE_CHECKING:
    from hubexpert.preview import Preview
    from hubexpert.records import Published


@click.command()
@recipe_option
@click.option("--repo", metavar="OWNER/NAME", help="Where to, instead of the recipe's `publish.repo`.")
@click.option("--revision", metavar="BRANCH", help="A branch, made from main where missing, or an open refs/pr/N.")
@click.option("--tag", metavar="NAME", help="Tag the commit once it is there. A tag is never moved.")
@click.option("--create-pr", is_flag=True, help="Open a pull request instead of committing to a branch.")
@click.option("--dry-run", is_flag=True, help="Check everything, show what would change on the Hub, send nothing.")
@click.option(
    "--force", is_flag=True, help="Publish although the verdict is not `ship`, or it is worse than what is published."
)
@click.option("--private/--no-private", default=None, help="Whether a missing repository is made private.")
@click.option(
    "--allow-secret",
    "allowed",
    metavar="NAME",
    multiple=True,
    help="Publish although the finding of this NAME looks like a secret; may be repeated.",
)
@output_options
def publish(
    recipe: Path,
    repo: str | None,
    revision: str | None,
    tag: str | None,
    create_pr: bool,
    dry_run: bool,
    force: bool,
    private: bool | None,
    allowed: tuple[str, ...],
    out: Out,
) -> None:
    """Publish the mixture to the Hub in one commit."""
    if create_pr and (revision is not None or tag is not None):
        raise click.UsageError(
            "--create-pr opens a pull request from main, which is tagged when it is merged: it goes with neither "
            "--revision nor --tag."
        )
    from hubexpert import hub
    from hubexpert import publish as publishing
    from hubexpert.assemble import PUBLISH
    from hubexpert.errors import HubExpertError
    from hubexpert.lock import DEFAULT_LOCK, read_lock
    from hubexpert.recipe import read_recipe
    from hubexpert.records import Compared
    from hubexpert.workspace import WORKSPACE, Workspace

    wanted = read_recipe(recipe)
    lock = read_lock(recipe.parent / DEFAULT_LOCK)
    workspace = Workspace(recipe.parent / WORKSPACE)
    folder = workspace.root / PUBLISH
    target = repo or wanted.publish.repo
    if target is None:
        raise HubExpertError(
            "No repository to publish to is named.", fix="set `publish.repo`, or give --repo OWNER/NAME"
        )
    hint_older_recipe(recipe, out)
    hub.show_progress(not out.quiet)
    with workspace.locked():
        wish = publishing.Wish(
            target, create_pr, revision, tag, force, allowed, workspace.stored(publishing.COMPARED, Compared)
        )
        if dry_run:
            rehearsed = publishing.rehearse(lock, folder, wish)
        else:
            hidden = wanted.publish.private if private is None else private
            published = publishing.publish(lock, folder, wish, private=hidden)
    if dry_run:
        _show_preview(rehearsed, target, out)
    else:
        _show_published(published, create_pr=create_pr, tag=tag, out=out)


def _show_preview(rehearsed: "Preview", target: str, out: Out) -> None:
    """Every file, what would be uploaded, and how the texts would change."""
    compared = rehearsed.comparison
    files = [(each.file, each.change, each.here, each.there) for each in compared.files]
    out.records(dict(zip(("file", "change", "here", "there"), each, strict=True)) for each in files)
    out.records([{"url": compared.url, "commit": "", "changed": False}])
    against = f"at {compared.commit[:12]}" if compared.commit else "new, or private and not shown to this token"
    out.table(f"{target} ({against})", ("file", "change", "bytes here", "bytes there"), files)
    out.text(f"To upload: {size_text(rehearsed.upload)}")
    for diff in rehearsed.diffs:
        out.diff(("", *diff.lines))
        if diff.more:
            out.text(f"… and {diff.more:,} more lines of {diff.file}")
    out.hint("Dry run: nothing was sent.")


def _show_published(published: "Published", *, create_pr: bool, tag: str | None, out: Out) -> None:
    """Where it is, and what comes next."""
    out.records([{"url": published.url, "commit": published.commit, "changed": published.changed}])
    out.text(published.url)
    if published.changed:
        out.hint(f"Published at {published.url} as commit {published.commit}.")
    else:
        out.hint(f"Nothing changed: {published.url} already holds exactly this (commit {published.commit}).")
    if tag:
        out.hint(f"The tag {tag} stands at this commit.")
    if create_pr and "/discussions/" in published.url:
        out.hint("Next: have the pull request reviewed and merged there.")
    else:
        out.hint(f'Next: hubexpert.load("{published.repo}") loads it; `hubexpert status` tells when it is stale.')


def hint_older_recipe(recipe: Path, out: Out) -> None:
    """Say so where the recipe has been edited since the lock was made of it."""
    from hubexpert.lock import DEFAULT_LOCK, read_lock
    from hubexpert.recipe import read_recipe
    from hubexpert.status import changed_keys

    if changed := changed_keys(read_recipe(recipe), read_lock(recipe.parent / DEFAULT_LOCK)):
        out.hint(f"The lock is of an older recipe (since changed: {', '.join(changed)}): hubexpert run")
