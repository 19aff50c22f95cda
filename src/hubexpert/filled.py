"""Templates, filled: prompts as they are, pages with every text made harmless. A fact that is not given is an error."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from hubexpert.records import Source

TEMPLATES = Path(__file__).parent / "templates"


def prompt(template: str, facts: Mapping[str, object]) -> str:
    """That template's text with these facts, for a model to read: nothing is escaped.

    Raises:
        jinja2.UndefinedError: the template asks for a fact that is not given.
    """
    return _plain(template).render(facts)


@lru_cache
def _plain(template: str) -> Template:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return Environment(autoescape=False, undefined=StrictUndefined).from_string(text)  # noqa: S701  plain text


def page(
    template: str,
    facts: Mapping[str, object],
    *,
    link: Callable[[Source], object],
    text: Callable[[str], object],
) -> str:
    """That template's text with these facts, for a browser: HTML is escaped in all that is not made as `Markup`.

    Args:
        template: its file name.
        facts: what it asks for.
        link: what is printed for a source.
        text: what is printed for a piece of text.

    Raises:
        jinja2.UndefinedError: the template asks for a fact that is not given.
    """

    def harmless(value: object) -> object:
        if isinstance(value, Source):
            return link(value)
        return text(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(facts)
