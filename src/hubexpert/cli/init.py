"""`hubexpert init`: write a commented recipe."""

import sys
from pathlib import Path

import click

from hubexpert.cli.options import output_options, recipe_option
from hubexpert.cli.output import Out


@click.command()
@click.option("--base", help="The base model: an alias, a Hub id or a folder.")
@click.option("--shots", help="The labelled examples: a file or a folder.")
@click.option("--test", help="Held-out examples to compare on; without them the shots are cross-validated.")
@click.option("--name", help="The task's name; by default the shots' file name.")
@click.option("--instruction", default="", help="One sentence that says what to do.")
@recipe_option
@click.option(
    "--github", is_flag=True, help="Write a workflow that rebuilds the expert, for this recipe or the one that exists."
)
@click.option("--force", is_flag=True, help="Write over what exists.")
@output_options
def init(
    base: str | None,
    shots: str | None,
    test: str | None,
    name: str | None,
    instruction: str,
    recipe: Path,
    github: bool,
    force: bool,
    out: Out,
) -> None:
    """Write a commented recipe."""
    written = {}
    if not (github and base is None and shots is None and recipe.is_file()):
        if base is None or shots is None:
            raise click.UsageError("A recipe needs --base and --shots.")
        _write_recipe(base, shots, test, name, instruction, recipe, force, out)
        written["recipe"] = str(recipe)
    if github:
        written["workflow"] = str(_write_workflow(recipe, force, out))
    out.records([written])
    out.text("\n".join(written.values()))
    if github:
        out.hint("Next: let the Hub trust that workflow, or give it a token (docs/ci.md), then commit it")
    else:
        out.hint("Next: hubexpert discover, then hubexpert run")


def _write_recipe(
    base: str, shots: str, test: str | None, name: str | None, instruction: str, recipe: Path, force: bool, out: Out
) -> None:
    from hubexpert.discover.aliases import UnknownBaseError, canonical_base
    from hubexpert.errors import HubExpertError
    from hubexpert.recipe import read_recipe
    from hubexpert.workspace import write_atomically

    if recipe.exists() and not force:
        raise HubExpertError(f"{recipe} exists already.", fix="edit it, or write over it: add --force")
    try:
        canonical_base(base)  # a name that means several is told now, not by the next command
    except UnknownBaseError as unknown:
        out.hint(f"{unknown.message} The Hub will be searched for it; to be sure: {unknown.fix}.")
    values = {"base": base, "name": name or Path(shots).stem, "instruction": instruction, "shots": shots, "test": test}
    write_atomically(recipe, render_recipe(values))
    read_recipe(recipe)
    for given in (shots, test):
        if given and not (recipe.parent / given).exists():
            out.hint(f"{given} is not there yet; paths are read from the recipe's folder, {recipe.parent.resolve()}.")


def _write_workflow(recipe: Path, force: bool, out: Out) -> Path:
    """Write the workflow into the repository that the recipe lies in, or beside the recipe where that is none.

    Raises:
        HubExpertError: it exists already, the recipe cannot be read, or the examples lie outside the repository.
    """
    from hubexpert.errors import HubExpertError
    from hubexpert.recipe import read_recipe
    from hubexpert.workspace import write_atomically

    task, folder = read_recipe(recipe).task, recipe.resolve().parent
    root = next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)
    workflow = root / ".github" / "workflows" / "hubexpert.yml"
    if workflow.exists() and not force:
        raise HubExpertError(f"{workflow} exists already.", fix="edit it, or write over it: add --force")
    watched = [recipe.resolve(), *((folder / each).resolve() for each in (task.shots, task.test) if each)]
    if outside := [each for each in watched if not each.is_relative_to(root)]:
        raise HubExpertError(f"{outside[0]} lies outside the repository {root}.", fix="keep recipe and examples in it")
    names = [each.relative_to(root).as_posix() + ("/**" if each.is_dir() else "") for each in watched]
    if any(letter in name.removesuffix("/**") for name in names for letter in "*?+[]!$\\"):
        raise HubExpertError(
            "A path of the recipe or the examples holds a character that means something else in a workflow.",
            fix="rename it: letters, digits, - and _",
        )
    write_atomically(workflow, render_workflow(names))
    head = root / ".git" / "HEAD"
    branch = head.read_text(encoding="utf-8").strip().partition("refs/heads/")[2] if head.is_file() else ""
    if branch not in ("", "main"):
        out.hint(f"The workflow runs for pushes to main, and this branch is {branch}: see `branches` in it.")
    return workflow


def render_workflow(paths: list[str]) -> str:
    """The workflow for a recipe and the files that it reads, in this order, by their paths in the repository."""
    from importlib.metadata import version
    from importlib.resources import files

    import jinja2

    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701  YAML, not HTML
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        # what stands in braces is GitHub's
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
    )
    environment.filters["yaml"] = as_yaml
    template = environment.from_string((files("hubexpert") / "templates" / "rebuild.yml").read_text(encoding="utf-8"))
    return template.render(paths=paths, recipe=paths[0], version=version("hubexpert"))


def render_recipe(values: dict[str, str | None]) -> str:
    """The recipe with these values, every default written out and explained."""
    from importlib.resources import files

    import jinja2

    from hubexpert.recipe import (
        DataSection,
        DiscoverSection,
        EvaluateSection,
        ExpertsSection,
        PublishSection,
        TeacherSection,
        TrainSection,
    )

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701  YAML, not HTML
    environment.filters["yaml"] = as_yaml
    template = environment.from_string((files("hubexpert") / "templates" / "recipe.yaml").read_text(encoding="utf-8"))
    return template.render(
        task=values,
        discover=DiscoverSection(),
        data=DataSection(),
        teacher=TeacherSection(model="-").model_dump(exclude={"model", "url", "provider", "key_env"}),
        experts=ExpertsSection(),
        train=TrainSection(),
        evaluate=EvaluateSection(),
        publish=PublishSection(),
    )


def as_yaml(value: object) -> str:
    """The value on one line of YAML, text always in quotes."""
    import yaml

    style = '"' if isinstance(value, str) else None
    text = yaml.safe_dump(value, default_style=style, default_flow_style=True, allow_unicode=True, width=sys.maxsize)
    return text.removesuffix("...\n").strip("\n")
