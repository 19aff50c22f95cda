"""Secrets in what is about to be published: found by their shapes, named by a digest, never shown."""

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from hubexpert.errors import HubExpertError
from hubexpert.escape import clean

# The shapes that their issuers document, and that little else has (docs/publish.md).
# Repeats inside them are bounded, so that no text takes long.
SHAPES = {
    "hugging-face": r"(?:hf|api_org)_(?:oauth_|jwt_)?[A-Za-z0-9]{30,}",
    "aws": r"(?:AKIA|ASIA)[A-Z2-7]{16}",
    "github": r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})",
    "gitlab": r"glpat-[\w-]{20,}",
    "openai": r"sk-(?=[\w-]{0,200}[A-Z])(?=[\w-]{0,200}\d)[\w-]{32,}",  # Anthropic's begin alike
    "slack": r"(?:xox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w{20,})",
    "google": r"(?:AIza[\w-]{35}|GOCSPX-[\w-]{28})",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "pypi": r"pypi-AgE[\w-]{50,}",
    "private-key": r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----",
    "jwt": r"eyJ[\w-]{10,1000}\.eyJ[\w-]{10,4000}\.[\w-]{10,}",
    "url-password": r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s/:@\"'<>]{0,200}:[^\s/@\"'<>]{1,200}@",
}
PATTERNS = {kind: re.compile(rf"(?<![A-Za-z0-9]){shape}", re.ASCII) for kind, shape in SHAPES.items()}
TOKEN = "token"  # noqa: S105  the kind of the client's own token, whatever its shape
SHOWN = 4  # characters
LISTED = 5  # findings in an error
LONGEST_HEADER = 1 << 26  # bytes; where a file tells a longer one, it is no safetensors file


@dataclass(frozen=True)
class Finding:
    """Something that looks like a secret.

    Attributes:
        file: in which it stands.
        line: counted from 1; 1 for all of a safetensors file's header.
        kind: one of `SHAPES`, or `TOKEN`.
        name: `<kind>-<digest>`, the same wherever the same text stands.
        begins: its first characters.
        length: in characters.
    """

    file: str
    line: int
    kind: str
    name: str
    begins: str
    length: int


def refuse_secrets(folder: Path, token: str | None, allowed: Collection[str]) -> None:
    """See that no text in the folder holds what looks like a secret.

    Args:
        folder: what would be published.
        token: the one the client sends; it is refused whatever is allowed.
        allowed: names of findings that are none.

    Raises:
        HubExpertError: there are some; they are named by file, line and kind.
    """
    found = [each for each in find_secrets(folder, token) if each.kind == TOKEN or each.name not in allowed]
    if not found:
        return
    listed = [
        f"{each.file} line {each.line}: {each.kind} {clean(each.begins)}… ({each.length} characters)"
        for each in found[:LISTED]
    ]
    listed += [f"and {len(found) - LISTED} more"] if len(found) > LISTED else []
    names = dict.fromkeys(each.name for each in found if each.kind != TOKEN)
    fix = "revoke it, take it out of the recipe or the card it comes from, then `hubexpert run`"
    if names:
        fix += "; if it is none: hubexpert publish " + " ".join(f"--allow-secret {name}" for name in names)
    raise HubExpertError(f"This looks like secrets, so nothing is sent: {'; '.join(listed)}.", fix=fix)


def find_secrets(folder: Path, token: str | None) -> list[Finding]:
    """What looks like a secret in the folder's texts and in the headers of its weights, by file and line."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [
        finding
        for path in files
        for number, line in enumerate(_text(path).splitlines(), start=1)
        for finding in _in_line(path.relative_to(folder).as_posix(), number, line, token)
    ]
    return list(dict.fromkeys(found))


def _text(path: Path) -> str:
    """The text of a file, of a safetensors file its header; empty for other binary files, which hold a zero byte."""
    with path.open("rb") as file:
        if path.suffix == ".safetensors":
            length = int.from_bytes(file.read(8), "little")
            content = file.read(length) if length <= LONGEST_HEADER else b""
        else:
            content = file.read()
    return "" if b"\0" in content[:8000] else content.decode("utf-8", errors="replace")


def _in_line(file: str, number: int, line: str, token: str | None) -> Iterator[Finding]:
    """The findings of a line, once the escapes of JSON and Markdown are undone."""
    text = re.sub(r"\\[nrt]", " ", line).replace("\\", "")
    if token and token in text:
        yield _finding(file, number, TOKEN, token)
        text = text.replace(token, "")
    for kind, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            yield _finding(file, number, kind, match[0])


def _finding(file: str, number: int, kind: str, secret: str) -> Finding:
    # Short enough to tell nothing of the secret to those who do not know it, long enough to tell findings apart.
    digest = hashlib.sha256(secret.encode()).hexdigest()[:6]
    return Finding(file, number, kind, f"{kind}-{digest}", secret[:SHOWN], len(secret))
