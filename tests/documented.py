"""What the documents say: their commands, snippets and links, as `tests/test_documented.py` checks them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
COMMENT = re.compile(r"\s# .*")


def pages() -> list[Path]:
    """All documents that are ours."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")]
    return sorted([*found, ROOT / "benchmarks/README.md"])


def snippets(text: str, language: str) -> list[str]:
    """The code blocks in that language."""
    return [code for kind, code in FENCE.findall(text) if kind == language]


def called(text: str, program: str) -> Iterator[list[str]]:
    """The arguments of every call of the program in the code blocks; what stands after `#` is left out."""
    for _, code in FENCE.findall(text):
        for line in code.splitlines():
            yield from _arguments(line, program)


def spans(text: str) -> list[str]:
    """What stands in backquotes within sentences."""
    return SPAN.findall(FENCE.sub("", text))


def named(text: str, program: str) -> Iterator[list[str]]:
    """The same of what is named within sentences, where arguments may be left out."""
    for span in spans(text):
        yield from _arguments(span, program)


def _arguments(line: str, program: str) -> Iterator[list[str]]:
    for part in re.split(r"&&|\|\||;", COMMENT.sub("", line)):
        said = re.sub(r"^(?:[A-Z_]+=\S+ )+", "", part.strip().removeprefix("$ ").removeprefix("- run: "))
        if said.startswith(f"{program} "):
            yield shlex.split(said.removeprefix(program))


def links(text: str) -> list[str]:
    """Where its links lead."""
    return re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """The addresses of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commented(text: str) -> Iterator[tuple[str, str]]:
    """Every command in a console block, and the comment after it."""
    for code in snippets(text, "console"):
        for line in code.splitlines():
            if line.startswith("$ "):
                said = COMMENT.search(line)
                yield COMMENT.sub("", line)[2:].strip(), said.group() if said else ""
