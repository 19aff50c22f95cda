"""`hubexpert hub`: a Hugging Face Hub on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hubexpert.localhub import Token

_ROOT = click.option("--root", type=click.Path(path_type=Path), required=True, help="Folder of the Hub's store.")


@click.group()
def hub() -> None:
    """Serve, and fill, a Hugging Face Hub on this machine."""


@hub.command()
@_ROOT
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others see what is public.")
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="Port to listen on; 0 takes a free one.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    envvar="HUBEXPERT_HUB_TOKENS",
    metavar="TOKEN:USER:read|write",
    help="May be repeated.",
)
def serve(root: Path, host: str, port: int, tokens: tuple[str, ...]) -> None:
    """Serve the store until interrupted. The first line of output is the endpoint, for HF_ENDPOINT."""
    from hubexpert.localhub import serve as serve_until_stopped
    from hubexpert.localhub.serve import is_loopback

    if not is_loopback(host):
        click.echo(f"Warning: {host} can be reached from other machines, over HTTP without encryption.", err=True)
    serve_until_stopped(root, host, port, [_token(spec) for spec in tokens], click.echo)


@hub.command()
@_ROOT
@click.argument("repo_id")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--type", "repo_type", type=click.Choice(["model", "dataset"]), default="model", show_default=True)
def add(root: Path, repo_id: str, folder: Path, repo_type: str) -> None:
    """Put the files of FOLDER into REPO_ID as one commit, with or without a server running.

    The output is the id of the commit; a folder whose content is there already makes no new one.
    """
    from hubexpert.localhub import Store

    click.echo(Store(root).add_folder(repo_id, folder, repo_type="dataset" if repo_type == "dataset" else "model"))


def _token(spec: str) -> "Token":
    """The token of a `TOKEN:USER:SCOPE`; the message of a bad one never repeats it."""
    from hubexpert.errors import HubExpertError
    from hubexpert.localhub import Token

    value, _, rest = spec.partition(":")
    user, _, scope = rest.partition(":")
    if scope not in ("read", "write"):
        raise HubExpertError("A --token is not of the form TOKEN:USER:read|write.", fix="Use --token hf_x:me:write")
    return Token(value, user, "write" if scope == "write" else "read")
