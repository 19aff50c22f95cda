"""The page: its template filled, its style and script named by their digests, so that nothing else can run or load."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from markupsafe import Markup

from hubexpert import filled
from hubexpert.escape import address, clean, shown_name
from hubexpert.filled import TEMPLATES
from hubexpert.lock import Lock
from hubexpert.records import Source
from hubexpert.report.beside import Beside
from hubexpert.report.facts import told
from hubexpert.report.pictures import pictures
from hubexpert.report.speech import Speech, speech
from hubexpert.workspace import write_atomically

TEMPLATE, STYLE, SCRIPT = "report.html.jinja", "report.css", "report.js"


def write_report(lock: Lock, known: Beside, path: Path) -> None:
    """Write the page with its figures; folders are made where they are missing."""
    write_atomically(path, render_report(lock, known, pictures(lock, known)))


def render_report(lock: Lock, known: Beside, drawn: Mapping[str, str]) -> str:
    """The page: a pure function of its arguments; `drawn` are the figures' addresses, as `pictures` gives them."""
    spoken = speech(known.spoken, [expert.source.repo for expert in lock.build.experts])
    style, script = _style(spoken), (TEMPLATES / SCRIPT).read_text(encoding="utf-8")
    facts = {
        **told(lock, known),
        "drawn": drawn,
        "spoken": spoken,
        "style": Markup(style),  # noqa: S704 - our own file, and colours
        "script": Markup(script),  # noqa: S704 - our own file
        "style_digest": _digest(style),
        "script_digest": _digest(script),
    }
    return filled.page(TEMPLATE, facts, link=lambda source: _link(source, lock.discovery.endpoint), text=clean)


def _style(spoken: Speech) -> str:
    """Our own style, and a class for each colour of the tokens: the policy forbids to write colours on elements."""
    rules = [f".{name}{{background:{paper};color:{ink}}}\n" for (paper, ink), name in spoken.classes.items()]
    return (TEMPLATES / STYLE).read_text(encoding="utf-8") + "".join(rules)


def _digest(text: str) -> str:
    """What a content security policy names the text of a `style` or `script` element by."""
    return b64encode(sha256(text.encode()).digest()).decode()


def _link(source: Source, endpoint: str) -> Markup:
    """A link to the source at its commit; only the name for what does not lie on a Hub."""
    name, to = clean(shown_name(source.repo)), address(source, endpoint)
    if to is None:
        return Markup("<bdi>{}</bdi>").format(name)
    return Markup('<a href="{}" rel="noopener noreferrer nofollow"><bdi>{}</bdi></a>').format(to, name)
