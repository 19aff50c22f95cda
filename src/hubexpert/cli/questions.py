"""What a command asks where only the user can know."""

import sys
from typing import TYPE_CHECKING

import click

from hubexpert.cli.output import Out, printable

if TYPE_CHECKING:
    from hubexpert.discover.aliases import AmbiguousBaseError


def settled_base(base: str, out: Out, *, offline: bool) -> str:
    """The base by its id or folder, with its revision; the user is asked where its name means several.

    Raises:
        AmbiguousBaseError: its name means several, and there is no terminal, or `--json` is given.
        HubExpertError: no base has that name, or the Hub cannot be asked.
    """
    from hubexpert.discover.aliases import AmbiguousBaseError, split_base
    from hubexpert.discover.search import resolve_name
    from hubexpert.recipe import is_folder

    if is_folder(base):
        return base
    try:
        name, revision = resolve_name(base, offline=offline, quiet=out.quiet)
    except AmbiguousBaseError as error:
        if out.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        name, revision = ask_base(error), split_base(base)[1]
    return f"{name}@{revision}" if revision else name


def ask_base(error: "AmbiguousBaseError") -> str:
    """The id that the user chooses; question and answer stay off stdout."""
    click.echo(printable(error.message), err=True)
    return str(click.prompt("Which is meant?", type=click.Choice(error.choices, case_sensitive=False), err=True))
