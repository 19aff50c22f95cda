"""Questions to the teacher: a template, filled; texts of strangers stand in it between marks that they cannot forge."""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import jinja2


def question(template: str, facts: Mapping[str, object]) -> str:
    """The text of that template with these facts.

    Raises:
        jinja2.UndefinedError: the template asks for a fact that is not given.
    """
    return _template(template).render(facts)


def mark(text: str) -> str:
    """A mark that hangs on the whole text and stands nowhere in it: no part of the text can know it."""
    made = hashlib.sha256(json.dumps(text).encode()).hexdigest()[:16]
    while made in text:
        made = hashlib.sha256(made.encode()).hexdigest()[:16]
    return made


@lru_cache
def _template(name: str) -> jinja2.Template:
    text = (Path(__file__).parents[1] / "templates" / name).read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined).from_string(text)  # noqa: S701  plain text
