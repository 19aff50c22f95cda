"""A Markdown page from a template of this package."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hubexpert.escape import code, prose

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **facts: object) -> str:
    """The template's text with these facts; every piece of text among them is made harmless.

    Raises:
        jinja2.UndefinedError: the template asks for a fact that is not given.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(facts, code=code)


def _harmless(value: object) -> object:
    """Whatever the template prints is escaped, unless it is a number or was made as Markdown."""
    return prose(value) if isinstance(value, str) and not isinstance(value, Markup) else value
