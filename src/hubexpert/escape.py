"""Strangers' text made harmless for Markdown, HTML, YAML titles and figures.

Names, licences, reasons and labels come from repositories of strangers and land in a page that browsers render.
"""

import re
import unicodedata
from pathlib import PurePath
from urllib.parse import quote

from markupsafe import Markup

from hubexpert.recipe import is_folder
from hubexpert.records import Source

LONGEST = 300  # characters shown of one piece of text
MOST_MARKS = 2  # combining marks on one letter; towers of them climb out of their line
HUB = "https://huggingface.co"
REPO_ID = re.compile(r"[A-Za-z0-9_][\w.-]*(?:/[A-Za-z0-9_][\w.-]*)?", re.ASCII)
ENDPOINT = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d+)?(?:/[A-Za-z0-9._~/-]*)?")
MARKDOWN = re.compile(r"([\\`*_{}\[\]|~$#!])")
AUTOLINK = re.compile(r"(://|@|\b(?:mailto|xmpp|javascript|data)(?=:)|\bwww(?=\.))", re.IGNORECASE)


def clean(text: object, *, longest: int = LONGEST) -> str:
    """`text` on one line: white space collapsed, control, bidi and invisible characters as U+FFFD, cut if long."""
    shown, marks = "", 0
    for character in unicodedata.normalize("NFC", str(text)[: 4 * longest]):
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks <= MOST_MARKS:
            shown += _visible(character)
    shown = " ".join(shown.split())
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def brief(text: object) -> str:
    """A stranger's text as a part of a sentence."""
    return clean(text, longest=80)


def _visible(character: str) -> str:
    """The character, a space for white space, or U+FFFD for what has no glyph of its own."""
    if character.isspace():
        return " "
    # control, format (bidi, zero width), surrogate, private, unassigned
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character)[0] == "C" else character


def prose(text: object, *, longest: int = LONGEST) -> Markup:
    """`text` as plain words inside a Markdown paragraph or table cell: no HTML, links, emphasis or table breaks.

    Addresses are broken up by a space, because some renderers look for them after escapes have been resolved.
    """
    words = AUTOLINK.sub(r" \1 ", clean(text, longest=longest))
    words = MARKDOWN.sub(r"\\\1", " ".join(words.split()))
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # at the beginning of a block these would start a list or a rule
    words = re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", words)
    return Markup(re.sub(r"^([-+=:])", r"\\\1", words))  # noqa: S704 - every active character is escaped above


def code(text: object) -> Markup:
    """`text` as a Markdown code span, in which nothing is active; safe in tables, too."""
    inside = clean(text).replace("`", "'").replace("|", "¦")
    return Markup(f"`{inside or '-'}`")  # noqa: S704 - backticks cannot occur inside


def fence(text: str, language: str = "") -> Markup:
    """`text` as a fenced code block whose fence is longer than any run of backticks in it."""
    body = lines(text)
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", body)), default=0))
    return Markup(f"{ticks}{language}\n{body}\n{ticks}")  # noqa: S704 - the fence cannot be closed from inside


def lines(text: str) -> str:
    """`text` with its lines as they are, but for control, bidi and invisible characters."""
    return "\n".join(clean(line, longest=4000) if not line.isprintable() else line for line in text.splitlines())


def plain(text: object) -> str:
    """`text` in printable ASCII, for figures and commit messages."""
    return clean(text).encode("ascii", "replace").decode()


def shown_name(repo: str) -> str:
    """What a page calls `repo`: of a folder only the last part, never where it lies on this machine."""
    if not is_folder(repo):
        return repo
    return PurePath(repo).name.strip(".~") or "local folder"


def link(source: Source, endpoint: str) -> Markup:
    """A Markdown link to the source at its commit; only the name for folders and for what is no repository id."""
    name, where = code(shown_name(source.repo)), address(source, endpoint)
    return Markup(f"[{name}]({where})") if where else name  # noqa: S704 - a code span and a percent-quoted address


def address(source: Source, endpoint: str) -> str | None:
    """Where the source stands at its commit, percent-quoted; None for folders and for what is no repository id."""
    if len(source.repo) > LONGEST or not REPO_ID.fullmatch(source.repo) or ".." in source.repo:
        return None
    kind = "datasets/" if source.repo_type == "dataset" else ""
    return f"{trusted(endpoint)}/{kind}{quote(source.repo, safe='/')}/tree/{source.revision}"


def trusted(endpoint: str) -> str:
    """The endpoint if it is a bare http(s) address, else that of the public Hub."""
    return endpoint.rstrip("/") if ENDPOINT.fullmatch(endpoint) else HUB
