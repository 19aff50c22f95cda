"""A Markdown page from a template of this package."""

from hubexpert import filled
from hubexpert.escape import HUB, code, link, prose


def render(template: str, *, endpoint: str = HUB, **facts: object) -> str:
    """The template's text with these facts; every piece of text among them is escaped for Markdown, a source is a link.

    Args:
        template: its file name.
        endpoint: of the Hub that sources are linked to.
        facts: what the template asks for.

    Raises:
        jinja2.UndefinedError: the template asks for a fact that is not given.
    """
    return filled.page(template, {**facts, "code": code}, link=lambda source: link(source, endpoint), text=prose)
