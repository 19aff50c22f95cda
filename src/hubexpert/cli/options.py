"""Options that several commands share."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hubexpert.cli.output import DEFAULT_RECIPE, Out

FILE = click.Path(path_type=Path, dir_okay=False)  # to read or to write; it need not be there
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
F = TypeVar("F", bound=Callable[..., Any])


def output_options(command: F) -> F:
    """Give a command `--json` and `--quiet`; it receives `out: Out`."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
    @click.option("--quiet", is_flag=True, help="Nothing on stderr but errors: no progress, hints or warnings.")
    @functools.wraps(command)
    def wrapped(*args: Any, as_json: bool, quiet: bool, **kwargs: Any) -> Any:
        return command(*args, out=Out(json=as_json, quiet=quiet), **kwargs)

    return wrapped  # type: ignore[return-value]


def recipe_option(command: F) -> F:
    """Give a command `--recipe FILE`; it receives `recipe: Path`."""
    option = click.option(
        "--recipe",
        type=FILE,
        default=Path(DEFAULT_RECIPE),
        show_default=True,
        help="The recipe; the workspace .hubexpert/ and hubexpert.lock lie beside it.",
    )
    return option(command)


def processes_option(command: F) -> F:
    """Give a command `--processes`; it receives `processes: int | None`, None for one a GPU."""
    option = click.option(
        "--processes",
        metavar="N|auto",
        default="1",
        show_default=True,
        callback=lambda _context, _option, given: _processes(given),
        help="How many processes train, each on a GPU of its own where there are any; auto: one a GPU.",
    )
    return option(command)


def _processes(given: str) -> int | None:
    if given == "auto":
        return None
    if not given.isdecimal() or int(given) < 1:
        raise click.BadParameter(f"{given!r} is neither a number of processes, 1 or more, nor `auto`.")
    return int(given)


def job_options(command: F) -> F:
    """Give a command `--on`, `--flavor`, `--timeout` and `--namespace`; it receives `timeout: int`, in seconds."""
    on = click.option("--on", type=click.Choice(["hf-jobs"]), help="Run in a job of the Hub, and fetch the result.")
    flavor = click.option(
        "--flavor", metavar="NAME", default="a10g-small", show_default=True, help="The job's machine."
    )
    timeout = click.option(
        "--timeout",
        metavar="TIME",
        default="2h",
        show_default=True,
        callback=lambda _context, _option, given: seconds(given),
        help="After which the job ends; what it has is kept.",
    )
    payer = click.option("--namespace", metavar="ORG", help="Who pays for the job and keeps its files, instead of you.")
    return on(flavor(timeout(payer(command))))


def seconds(given: str) -> int:
    """A time such as `90m` in seconds."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", given)
    if not found or float(found[1]) * SECONDS[found[2]] < 1:
        raise click.BadParameter(f"{given!r} is no time such as 90m, 2h or 1d.")
    return int(float(found[1]) * SECONDS[found[2]])


def engine_options(command: F) -> F:
    """Give a command `--engine` and `--workers`; it receives `engine: str` and `workers: int | None`."""
    engine = click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Where adapters are scored and rows embedded: here, or on a Ray cluster (RAY_ADDRESS, else a new one).",
    )
    workers = click.option("--workers", type=click.IntRange(min=1), help="Of the cluster; by default one a GPU.")
    return engine(workers(command))
