"""The JSON object in a teacher's reply, also where it is not quite one: in a fence, in prose, or as Python writes it.

Nothing is guessed: an object without its end, or several that differ, are none. Nothing is run.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from typing import Any

from hubexpert.answers.structures import parsed

LONGEST = 20_000  # characters of a reply that is looked at
DEEPEST = 3  # levels of an object; the one that is asked for has one
MOST = 16  # places where an object may begin
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|["\'{}\[\]]', re.DOTALL)
TEXT = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
# what a flat object may be as Python writes it: nothing that nests, nothing to compute
FLAT = re.compile(rf"\{{\s*(?:{TEXT}\s*:\s*(?:{TEXT}|-?\d[\d.]*|True|False)\s*(?:,\s*|(?=\}})))*\}}", re.DOTALL)
TRAILING = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


def salvage(text: str, keys: tuple[str, ...]) -> dict[str, Any] | None:
    """The one object in the text; of several the one with exactly these keys; None where there is none, or no one."""
    if len(text) > LONGEST:
        return None
    found = [value for piece in _pieces(text) if (value := _value(piece)) is not None]
    fitting = [value for value in found if value.keys() == set(keys)] or found
    return fitting[0] if fitting and all(value == fitting[0] for value in fitting) else None


def _pieces(text: str) -> Iterator[str]:
    """The pieces from a brace to the one that closes it, none within another."""
    start, tried = text.find("{"), 0
    while start >= 0 and tried < MOST:
        end = _end(text, start)
        if end is not None:
            yield text[start:end]
        start, tried = text.find("{", start + 1 if end is None else end), tried + 1


def _end(text: str, start: int) -> int | None:
    """Where the object that begins there ends; None where it does not, or is too deep, or a text in it has no end."""
    depth = 0
    for token in TOKEN.finditer(text, start):
        if token[0] in "\"'":
            return None
        depth += (token[0] in "{[") - (token[0] in "}]")
        if depth > DEEPEST:
            return None
        if not depth:
            return token.end()
    return None


def _value(piece: str) -> dict[str, Any] | None:
    """The object that the piece is: as JSON, as JSON with commas too many, or flat and as Python writes it."""
    value = parsed(piece)
    value = parsed(TRAILING.sub(lambda match: match[1] or "", piece)) if value is None else value
    value = _python(piece) if value is None and FLAT.fullmatch(piece) else value
    return value if isinstance(value, dict) and all(isinstance(key, str) for key in value) else None


def _python(piece: str) -> dict[Any, Any] | None:
    """The flat dict that the piece is; None where it says one key twice, or a number or an escape in it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            tree = ast.parse(piece, mode="eval").body
            value = ast.literal_eval(tree)
    except (ValueError, SyntaxError):
        return None
    return value if isinstance(tree, ast.Dict) and len(value) == len(tree.keys) else None
