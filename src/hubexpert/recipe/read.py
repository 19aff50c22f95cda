"""A recipe from its file, checked key by key."""

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from hubexpert.errors import HubExpertError
from hubexpert.recipe.whole import Recipe


def read_recipe(path: Path) -> Recipe:
    """The recipe in the file `path`.

    Raises:
        HubExpertError: the file is missing, is no YAML mapping, or holds an unknown key or a wrong value.
    """
    if not path.is_file():
        raise HubExpertError(
            f"There is no recipe at {path}.",
            fix="hubexpert init --base BASE --shots FILE  (writes one), or name yours with --recipe FILE",
        )
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or a date that is none
        where = getattr(error, "problem_mark", None)
        line = f" near line {where.line + 1}" if where else ""
        raise HubExpertError(
            f"{path} is not valid YAML{line}.", fix=f"correct the indentation or quoting in {path}"
        ) from error
    if not isinstance(raw, dict):
        raise HubExpertError(f"{path} holds no mapping of keys to values.", fix="start it with `base:` and `task:`")
    return parse_recipe(raw, name=str(path))


def parse_recipe(raw: dict[str, Any], *, name: str) -> Recipe:
    """The recipe in the mapping `raw`; `name` is what messages call it.

    Raises:
        HubExpertError: an unknown key (the nearest known one is named), a missing key or a wrong value.
    """
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        told = error.errors()
        first = next((each for each in told if each["type"] == "extra_forbidden"), told[0])
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise HubExpertError(f"{name} has an unknown key `{key}`.", fix=_nearest(first["loc"], name)) from None
        if first["type"] == "missing":
            raise HubExpertError(f"{name} lacks the key `{key}`.", fix=f"add `{key}` to {name}") from None
        why = first["msg"].removeprefix("Value error, ")
        raise HubExpertError(f"{name}: `{key}` is wrong: {why}.", fix=f"change `{key}` in {name}") from None


def _nearest(location: tuple[int | str, ...], name: str) -> str:
    """The fix for an unknown key: the closest key that exists at that place."""
    section: type[BaseModel] = Recipe
    for part in location[:-1]:
        field = section.model_fields.get(str(part))
        if field is None:  # the name of a dataset, a key of one's own
            continue
        # of a mapping, what its values are
        kinds = (field.annotation, *get_args(field.annotation))
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), section)
    known = sorted(section.model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    return f"did you mean `{close[0]}`? Change it in {name}" if close else f"known keys here: {', '.join(known)}"
