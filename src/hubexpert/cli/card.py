"""`hubexpert card`: the card and the folder to publish, from the lock alone."""

from pathlib import Path

import click

from hubexpert.cli.options import output_options, recipe_option
from hubexpert.cli.output import Out


@click.command()
@recipe_option
@output_options
def card(recipe: Path, out: Out) -> None:
    """Write the model card and assemble the folder to publish, from the lock."""
    from hubexpert.assemble import refresh
    from hubexpert.cli.publish import hint_older_recipe

    assembled = refresh(recipe)
    hint_older_recipe(recipe, out)
    readme = assembled.folder / "README.md"
    out.records([{"readme": str(readme), "complete": assembled.complete}])
    out.text(str(readme))
    if not assembled.complete:
        out.hint("The weights are not here: only the card, its figures and the lock were written. Next: hubexpert run")
