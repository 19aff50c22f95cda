"""`hubexpert publish`: the assembled folder as one commit on the Hub."""

from pathlib import Path

import click

from hubexpert.cli.output import Out, output_options, recipe_option


@click.command()
@recipe_option
@click.option("--repo", metavar="OWNER/NAME", help="Where to, instead of the recipe's `publish.repo`.")
@click.option("--create-pr", is_flag=True, help="Open a pull request instead of committing to the main branch.")
@click.option("--dry-run", is_flag=True, help="Check everything, show what would be sent, send nothing.")
@click.option("--force", is_flag=True, help="Publish although the verdict is not `ship`.")
@click.option("--private/--no-private", default=None, help="Whether a missing repository is made private.")
@output_options
def publish(
    recipe: Path, repo: str | None, create_pr: bool, dry_run: bool, force: bool, private: bool | None, out: Out
) -> None:
    """Publish the mixture to the Hub in one commit."""
    from hubexpert import hub
    from hubexpert import publish as publishing
    from hubexpert.assemble import PUBLISH
    from hubexpert.errors import HubExpertError
    from hubexpert.lock import DEFAULT_LOCK, read_lock
    from hubexpert.recipe import read_recipe
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
        published = publishing.publish(
            lock,
            folder,
            repo=target,
            private=wanted.publish.private if private is None else private,
            create_pr=create_pr,
            dry_run=dry_run,
            force=force,
        )
    out.records([{"url": published.url, "commit": published.commit, "changed": published.changed}])
    if dry_run:
        out.table(f"Would be sent to {target}", ("file", "bytes"), publishing.contents(folder))
        out.hint("Dry run: nothing was sent.")
        return
    out.text(published.url)
    out.hint(
        f"Commit {published.commit}."
        if published.changed
        else "Nothing changed: the repository already holds exactly this."
    )


def hint_older_recipe(recipe: Path, out: Out) -> None:
    """Say so where the recipe has been edited since the lock was made of it."""
    from hubexpert.lock import DEFAULT_LOCK, read_lock
    from hubexpert.recipe import read_recipe
    from hubexpert.status import changed_keys

    if changed := changed_keys(read_recipe(recipe), read_lock(recipe.parent / DEFAULT_LOCK)):
        out.hint(f"The lock is of an older recipe (since changed: {', '.join(changed)}): hubexpert run")
