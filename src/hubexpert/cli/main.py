"""The `hubexpert` command: commands are imported when called, errors are rendered here and only here."""

import errno
import functools
import importlib
import os
import sys
import warnings
from collections.abc import Sequence

import click

from hubexpert import __version__
from hubexpert.cli.output import EXTENSION, as_called, printable
from hubexpert.errors import HubExpertError

COMMANDS = {
    "init": "Write a commented recipe.",
    "shots": "Check examples, and draw some of them.",
    "discover": "Find the adapters and datasets of a base, each with a verdict.",
    "inspect": "Explain one adapter in full: what it is, and all that speaks against it.",
    "run": "Run all stages up to the card; only what changed.",
    "score": "Score the accepted adapters on the shots.",
    "select": "Choose the experts.",
    "data": "Choose, and transform, rows of open datasets by the shots.",
    "build": "Assemble and train the mixture.",
    "evaluate": "Compare the mixture with cheaper systems on held-out examples.",
    "card": "Write the model card and assemble the folder to publish, from the lock.",
    "explain": "Show which expert spoke where in the mixture's answers to a few examples.",
    "lock": "Show what the lock pins and proves, or write it in a form for other tools.",
    "report": "Write one HTML page about the result, from the lock.",
    "publish": "Publish the mixture to the Hub in one commit.",
    "export": "Write the mixture in a form that other tools read.",
    "status": "Tell whether the published expert is fresh: exit code 0, or 3 when it is stale.",
    "verify": "Check that a published expert is what it says: exit code 0, or 1 if not, or 3 if sources changed.",
    "ci": "Rebuild and publish the expert where it is stale, or check a change of it: what the GitHub Action runs.",
    "demo": "Do the whole job on bundled real data, against a Hub on this machine.",
    "hub": "Serve, and fill, a Hugging Face Hub on this machine.",
}

EXTRAS = {
    **dict.fromkeys(("torch", "transformers", "peft", "accelerate", "datasets", "evaluate"), "train"),
    **dict.fromkeys(("sentence_transformers", "faiss", "py3langid"), "data"),
    **dict.fromkeys(("starlette", "uvicorn"), "hub"),
    **dict.fromkeys(("cyclonedx", "packageurl"), "bom"),
    "gguf": "demo",
}
FULL = "make room here, in HF_HOME (by default ~/.cache/huggingface) or in TMPDIR, then run it again"
UNREADABLE = "see that the path is right, and that you may read and write there"


class Commands(click.Group):
    """A group whose commands are imported only when used, so that `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command in `hubexpert.cli.<name>`."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"hubexpert.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hubexpert")
def cli() -> None:
    """From K labelled examples and the name of a base model to a published mixture of open LoRA experts."""


def extension() -> None:
    """Run the command line as `hf hubexpert`, an extension of the `hf` command."""
    main(name=EXTENSION)


def main(arguments: Sequence[str] | None = None, *, name: str = "hubexpert") -> None:
    """Run the command line; an error the user can mend is one sentence and a fix, exit code 1.

    Args:
        arguments: by default those of this process.
        name: what the command is called, in usage texts and fixes.
    """
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")  # for its authors, not for users
    given = sys.argv[1:] if arguments is None else arguments
    tell = functools.partial(_tell, name=name, recipe=_recipe_in(given))
    if any("\udc80" <= letter <= "\udcff" for argument in given for letter in argument):
        tell(HubExpertError("An argument is no text in UTF-8.", fix="type it again, or rename the file it names"))
    try:
        cli.main(args=list(arguments) if arguments is not None else None, prog_name=name)
    except HubExpertError as error:
        tell(error)
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.filename else error.strerror or str(error)
        tell(HubExpertError(f"{what}.", fix=FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else UNREADABLE))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        tell(HubExpertError(f"This command needs {error.name}.", fix=f"pip install 'hubexpert[{extra}]'"))


def _recipe_in(arguments: Sequence[str]) -> str | None:
    """The recipe that they name."""
    for option, value in zip(arguments, (*arguments[1:], ""), strict=True):
        if option == "--recipe":
            return value
        if option.startswith("--recipe="):
            return option.partition("=")[2]
    return None


def _tell(error: HubExpertError, *, name: str, recipe: str | None) -> None:
    """The error and its fix on stderr, exit code 1; the traceback instead with HUBEXPERT_DEBUG=1."""
    if os.environ.get("HUBEXPERT_DEBUG") == "1":
        raise error
    click.echo(printable(f"Error: {error.message}\nFix: {as_called(error.fix, name, recipe)}"), err=True)
    sys.exit(1)
