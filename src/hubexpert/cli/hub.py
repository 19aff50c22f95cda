"""`hubexpert hub`: a Hugging Face Hub on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click

from hubexpert.cli.options import output_options
from hubexpert.cli.output import Out

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
    show_envvar=True,
    help="Who has which token, to read or to write; may be repeated.",
)
@click.option("--jobs", is_flag=True, help="Run jobs as processes of yours, for whoever has a token to write.")
@click.option(
    "--publishers",
    type=click.Path(path_type=Path),
    help="YAML file of the workflows that may have a token without a secret (docs/local-hub.md).",
)
@click.option("--audience", metavar="URL", help="What their identities are made for, if not the endpoint.")
@output_options
def serve(
    root: Path,
    host: str,
    port: int,
    tokens: tuple[str, ...],
    jobs: bool,
    publishers: Path | None,
    audience: str | None,
    out: Out,
) -> None:
    """Serve the store until interrupted. The first line of output is the endpoint, for HF_ENDPOINT."""
    from hubexpert.localhub import LocalHub
    from hubexpert.localhub import serve as serve_until_stopped
    from hubexpert.localhub.hosts import is_loopback
    from hubexpert.localhub.publishers import read_publishers

    if not is_loopback(host):
        out.hint(f"Warning: {host} can be reached from other machines, over HTTP without encryption.")
        if jobs:
            out.hint("Warning: whoever has a token to write runs commands as you on this machine.")

    def announce(endpoint: str) -> None:
        _show(out, endpoint, {"endpoint": endpoint})

    served = LocalHub(
        root,
        host=host,
        port=port,
        tokens=[_token(spec) for spec in tokens],
        jobs=jobs,
        publishers=read_publishers(publishers) if publishers else (),
        audience=audience,
    )
    serve_until_stopped(served, announce)


@hub.command()
@_ROOT
@click.argument("repo_id")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--type",
    "repo_type",
    type=click.Choice(["model", "dataset"]),
    default="model",
    show_default=True,
    help="What REPO_ID is.",
)
@click.option("--private", is_flag=True, help="Hide it from others, if it is new.")
@output_options
def add(
    root: Path, repo_id: str, folder: Path, repo_type: Literal["model", "dataset"], private: bool, out: Out
) -> None:
    """Put the files of FOLDER into REPO_ID as one commit.

    With or without a server running. The output is the id of the commit; what is there already makes no new one.
    """
    from hubexpert.localhub import Store

    commit = Store(root).add_folder(repo_id, folder, repo_type=repo_type, private=private)
    _show(out, commit, {"repo": repo_id, "commit": commit})


def _show(out: Out, line: str, record: dict[str, str]) -> None:
    """The one line others read: the bare value, or with `--json` a record; also with `--quiet`."""
    if out.json:
        out.records([record])
    else:
        click.echo(line)


def _token(spec: str) -> "Token":
    """The token of a `TOKEN:USER:SCOPE`."""
    from hubexpert.localhub import Token

    value, _, rest = spec.partition(":")
    user, _, scope = rest.partition(":")
    return Token(value, user, cast(Literal["read", "write"], scope))  # a bad scope is refused there
