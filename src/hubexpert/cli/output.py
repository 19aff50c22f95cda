"""The one output object: data on stdout; hints, warnings and progress on stderr."""

import json
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

EXTENSION = "hf hubexpert"  # what the command is called as an extension of `hf`
DEFAULT_RECIPE = "hubexpert.yaml"
CALLS = r"(^|[:`(,;] ?|\b(?:with|then|and|or) )hubexpert (?=[a-z])"  # commands within what is told
WITHOUT_RECIPE = r"(?!(?:shots sample|verify|demo|hub)\b)"
WIDTH = 120  # of a table that goes into a file or a pipe
if TYPE_CHECKING:
    from rich.text import Text


@dataclass(frozen=True)
class Out:
    """How a command speaks: data on stdout, for people or (`--json`) one object a line; the rest on stderr."""

    json: bool = False
    quiet: bool = False

    def records(self, records: Iterable[Mapping[str, Any]]) -> None:
        """With `--json`: each record as one line on stdout. Otherwise nothing."""
        if self.json:
            for record in records:
                click.echo(json.dumps(record))  # in ASCII: nothing in it can reach the terminal as a command

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table for people on stdout; numbers are right-aligned, an empty line follows. Nothing with `--json`."""
        if self.json:
            return
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(header_style="bold", box=SIMPLE_HEAD, show_edge=False)
        cells = [[_cell(value) for value in row] for row in rows]
        for index, column in enumerate(columns):
            numeric = bool(cells) and all(_numeric(row[index]) for row in cells)
            table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=WIDTH)
        with console.capture() as captured:
            console.print(Text(_cell(title), style="bold"), table, sep="\n")
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")

    def coloured(self, text: "Text") -> None:
        """Text for people on stdout, with its colours where there is a terminal. Nothing with `--json`."""
        if not self.json:
            from rich.console import Console

            Console(highlight=False).print(text)

    def diff(self, lines: Iterable[str]) -> None:
        """The lines of a unified diff on stdout, in colours where there is a terminal. Nothing with `--json`."""
        if self.json:
            return
        from rich.console import Console
        from rich.text import Text

        styles = {"+": "green", "-": "red", "@": "cyan"}
        shown = [(printable(line.expandtabs()).replace("\n", " "), styles.get(line[:1], "")) for line in lines]
        Console(highlight=False).print(Text("\n").join(Text(*line) for line in shown), soft_wrap=True)

    def text(self, text: str) -> None:
        """A line for people on stdout. Nothing with `--json`."""
        if not self.json:
            click.echo(printable(text))

    def hint(self, text: str) -> None:
        """A line on stderr: what is happening, or what to do next. Nothing with `--quiet`."""
        if not self.quiet:
            context = click.get_current_context(silent=True)
            name = context.find_root().info_name if context else None
            recipe = context.params.get("recipe") if context else None
            click.echo(printable(as_called(text, name, recipe)), err=True)


def _cell(value: object) -> str:
    """What a cell shows: floats with three decimals; control characters of strangers' text made visible."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1000 else f"{value:.3g}"
    return printable(str(value)).replace("\n", " ")


def size_text(size: int | None) -> str | None:
    """Bytes for people: `2.3 kB`."""
    if size is None or size < 1000:
        return None if size is None else f"{size} B"
    power = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**power:,.1f} {' kMGT'[power]}B"


def printable(text: str) -> str:
    """The text with control characters, which a terminal would obey, made visible; lines stay."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def as_called(text: str, name: str | None, recipe: str | Path | None = None) -> str:
    """The text with its commands as they are called.

    Args:
        text: a hint or a fix.
        name: what the command is called; an extension's environment lies off the path.
        recipe: which one the command in hand works with: others go on with the same, unless it is hidden.
    """
    beside = Path(recipe or DEFAULT_RECIPE)
    if str(beside) != DEFAULT_RECIPE and not beside.name.startswith("."):  # a hidden one is removed again by `ci`
        option = f" --recipe {shlex.quote(str(recipe))}"
        text = re.sub(rf"{CALLS}{WITHOUT_RECIPE}((?:shots )?[a-z]+)", lambda m: f"{m[1]}hubexpert {m[2]}{option}", text)
    if name != EXTENSION:
        return text
    text = re.sub(CALLS, rf"\1{EXTENSION} ", text)
    return re.sub(r"\bpip install ", lambda _: f"{sys.executable} -m pip install ", text)


def _numeric(cell: str) -> bool:
    return cell == "-" or cell.replace(".", "", 1).replace(",", "").replace("e+", "").lstrip("-").isdigit()
