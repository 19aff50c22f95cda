"""What the documents name is there: commands, options, keys of recipes, calls, links, modules."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

import hubexpert
from hubexpert.cli.main import COMMANDS, cli
from hubexpert.cli.output import DEFAULT_RECIPE, as_called
from hubexpert.lock import Lock
from hubexpert.recipe import Recipe
from tests.documented import ROOT, anchors, called, commented, links, named, pages, snippets, spans

OTHERS = {"--max-lora-rank"}  # of vLLM
by_page = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))


def command(arguments: list[str]) -> tuple[click.Command, list[str]]:
    """The command that they call, and what it is given."""
    found: click.Command = cli
    while isinstance(found, click.Group):
        name, *arguments = arguments
        inner = found.get_command(click.Context(found), name)
        assert inner is not None, f"there is no command {name}"
        found = inner
    return found, arguments


def every(found: click.Command) -> Iterator[click.Command]:
    """The command, or all commands of a group."""
    if isinstance(found, click.Group):
        for name in found.list_commands(context := click.Context(found)):
            inner = found.get_command(context, name)
            assert inner is not None
            yield from every(inner)
    else:
        yield found


def options(found: click.Command) -> set[str]:
    return {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}


@by_page
def test_every_command_is_one_that_the_command_line_takes(page: Path) -> None:
    """In sentences what it needs may be left out; files need not be there."""
    text = page.read_text(encoding="utf-8")
    for program in ("hubexpert", "hf hubexpert"):
        inline = list(named(text, program))
        for arguments in (*inline, *called(text, program)):
            found, given = command(arguments)
            try:
                found.make_context(found.name, list(given))
            except click.UsageError as error:
                passing = isinstance(error, click.MissingParameter) and arguments in inline
                told = error.format_message()
                assert passing or told.endswith("does not exist."), f"{program} {' '.join(arguments)}: {told}"


@pytest.mark.parametrize("found", [*every(cli)], ids=lambda found: found.name)
def test_the_help_says_what_every_option_is_and_what_it_is_without_it(found: click.Command) -> None:
    """In the list of a group's commands, too, no sentence is cut short."""
    for each in found.params:
        if isinstance(each, click.Option):
            assert each.help and each.help.endswith("."), each.name
            assert (
                each.show_default or each.is_flag or not isinstance(each.default, int | Path | str) or not each.default
            )
            assert not each.multiple or each.help.endswith("may be repeated."), each.name
    assert found.name in COMMANDS or found.get_short_help_str(65)[-3:] != "...", found.name


@pytest.mark.parametrize("found", [*every(cli)], ids=lambda found: found.name)
def test_what_is_told_to_run_gets_the_recipe_where_it_takes_one(found: click.Command) -> None:
    group = {"check": "shots ", "sample": "shots ", "add": "hub ", "serve": "hub "}.get(str(found.name), "")
    typed = f"hubexpert {group}{found.name}"
    with_recipe = as_called(f"{typed} --json", "hubexpert", "my task.yaml")
    takes = "--recipe" in options(found)
    assert with_recipe == (f"{typed} --recipe 'my task.yaml' --json" if takes else f"{typed} --json")
    for other in (DEFAULT_RECIPE, "task/.hubexpert-at-repo.yaml"):  # the latter is only there while `ci` runs
        assert as_called(f"`{typed}`", "hubexpert", other) == f"`{typed}`"


@by_page
def test_every_option_is_one_of_the_command_or_script_beside_it(page: Path) -> None:
    """Also what stands after `#`: further options of the same command."""
    for line, said in commented(page.read_text(encoding="utf-8")):
        if line.startswith("hubexpert "):
            found, _ = command(line.split()[1:])
            there = options(found)
        elif script := re.search(r"\bpython (\S+\.py)", line):
            there = set(re.findall(r"--[a-z][\w-]+", (ROOT / script.group(1)).read_text(encoding="utf-8")))
        else:
            continue
        assert set(re.findall(r"(?<![\w-])--[a-z][\w-]+", f"{line} {said}")) <= there, line


@by_page
def test_every_option_named_in_line_is_one_of_ours(page: Path) -> None:
    ours = {option for found in every(cli) for option in options(found)}
    scripts = {o for p in ROOT.glob("benchmarks/*.py") for o in re.findall(r'"(--[a-z][\w-]+)"', p.read_text())}
    told = re.findall(r"`(--[a-z][\w-]+)[^`]*`", page.read_text(encoding="utf-8"))
    assert set(told) <= ours | scripts | OTHERS


@by_page
def test_every_recipe_is_one_that_is_taken(page: Path) -> None:
    whole = {"base": "owner/base", "task": {"name": "task", "shots": "shots.jsonl"}}
    for snippet in snippets(page.read_text(encoding="utf-8"), "yaml"):
        read = yaml.safe_load(snippet)
        if isinstance(read, dict) and set(read) <= set(Recipe.model_fields):
            Recipe.model_validate(whole | read | {"task": whole["task"] | read.get("task", {})})


@by_page
def test_every_key_named_in_line_is_one_of_the_recipe_or_the_lock(page: Path) -> None:
    schemas = (Recipe.model_json_schema(), Lock.model_json_schema())
    parts = (part for schema in schemas for part in (schema, *schema["$defs"].values()))
    keys = {key for part in parts for key in part.get("properties", {})}
    for span in spans(page.read_text(encoding="utf-8")):
        if re.fullmatch(r"(task|discover|data|experts|train|evaluate|publish)(\.[a-z_]+)+", span):
            assert {*span.split(".")} <= keys or Path(span).suffix in (".json", ".jsonl", ".py"), span


@by_page
def test_every_step_gives_the_action_inputs_that_it_has(page: Path) -> None:
    inputs = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    for snippet in snippets(page.read_text(encoding="utf-8"), "yaml"):
        for given in re.findall(r"uses: hubexpert/hubexpert@\S+\n(?:.*\n)*? +with: *(\{.*\}|\n(?: {6}.*\n)+)", snippet):
            assert set(yaml.safe_load(given)) <= set(inputs)


@by_page
def test_every_call_of_python_fits_the_signature(page: Path) -> None:
    for snippet in snippets(page.read_text(encoding="utf-8"), "python"):
        for node in ast.walk(ast.parse(snippet)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("hubexpert."):
                called = getattr(hubexpert, ast.unparse(node.func).removeprefix("hubexpert."))
                keywords = {str(keyword.arg): None for keyword in node.keywords}
                inspect.signature(called).bind(*node.args, **keywords)


@by_page
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page.read_text(encoding="utf-8")):
        if not link.startswith(("https:", "http:")):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@by_page
def test_every_target_of_make_is_in_the_makefile(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    assert {arguments[0] for arguments in (*called(text, "make"), *named(text, "make"))} <= targets


def test_the_map_names_every_module_and_no_other() -> None:
    """The table of ARCHITECTURE.md says where everything in `src/hubexpert` is."""
    table = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("\nImports point")[0]
    told = {name for row in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE) for name in row.split()}
    sources = ROOT / "src/hubexpert"
    packages = {f"{path.name}/" for path in sources.iterdir() if path.is_dir() and path.name[0] not in "_."}
    assert told - {"discover/data/"} == packages | {path.stem for path in sources.glob("[!_]*.py")}


@by_page
def test_every_function_and_test_named_with_its_file_is_defined_there(page: Path) -> None:
    """In the form of PAPERS.md: `file.py: name, name` and `tests/file.py::name`; a test alone is of the file before."""
    file = page
    for span in spans(page.read_text(encoding="utf-8")):
        path, tests, names = re.fullmatch(r"([\w/]+\.py)?(::|: )?(.*)", span).groups()  # type: ignore[union-attr]
        if path:
            file = next(
                (each / path for each in (ROOT, ROOT / "src/hubexpert", page.parent) if (each / path).is_file()), page
            )
            assert file != page, span
        if path or tests:
            defined = re.findall(
                r"^(?: *(?:async )?def|class) (\w+)|^([A-Z_]+) =", file.read_text(encoding="utf-8"), re.M
            )
            assert set(filter(None, names.split(", "))) <= {name for pair in defined for name in pair}, span
