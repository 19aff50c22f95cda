"""A Markdown page from a template of this package."""

from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hubexpert.escape import HUB, code, link, prose
from hubexpert.records import Source

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, *, endpoint: str = HUB, **facts: object) -> str:
    """The template's text with these facts; every piece of text among them is made harmless, a source is a link.

    Args:
        template: its file name.
        endpoint: of the Hub that sources are linked to.
        facts: what the template asks for.

    Raises:
        jinja2.UndefinedError: the template asks for a fact that is not given.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=partial(_harmless, endpoint=endpoint),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(facts, code=code)


def _harmless(value: object, *, endpoint: str) -> object:
    """Whatever the template prints is escaped, unless it is a number or was made as Markdown."""
    if isinstance(value, Source):
        return link(value, endpoint)
    return prose(value) if isinstance(value, str) and not isinstance(value, Markup) else value
