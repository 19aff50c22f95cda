"""`hubexpert init`: write a commented recipe."""

import sys
from pathlib import Path

import click

from hubexpert.cli.output import Out, output_options, recipe_option


@click.command()
@click.option("--base", required=True, help="The base model: an alias, a Hub id or a folder.")
@click.option("--shots", required=True, help="The labelled examples: a file or a folder.")
@click.option("--test", help="Held-out examples; needed for `evaluate`.")
@click.option("--name", help="The task's name; by default the shots' file name.")
@click.option("--instruction", default="", help="One sentence that says what to do.")
@recipe_option
@click.option("--force", is_flag=True, help="Write over a recipe that exists.")
@output_options
def init(
    base: str, shots: str, test: str | None, name: str | None, instruction: str, recipe: Path, force: bool, out: Out
) -> None:
    """Write a commented recipe."""
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
    out.records([{"recipe": str(recipe)}])
    out.text(str(recipe))
    out.hint("Next: hubexpert discover, then hubexpert run")


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
