"""JSON objects and arrays in answers: where the first one lies, and whether it is the gold output's."""

import json
import re
from typing import Any

from hubexpert.answers.normal import may_become, normal, plain, stable

REACH = 60  # characters that may stand before the JSON: "Here is the information in JSON format:", a fence
DEEPEST = 64  # levels; beyond them Python's parser depends on how deep its caller stands

_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],]', re.DOTALL)
_KEY = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*:\s*("[^"\\]*\Z)?', re.DOTALL)


def parsed(text: str) -> Any:
    """The object or array which the text is; None where it is none, or says one key twice, or is too deep."""
    text = text.strip()
    if not text.startswith(("{", "[")) or end_of(text)[0] != len(text):
        return None
    try:
        return json.loads(text, strict=False, object_pairs_hook=_object, parse_constant=_no_constant)
    except ValueError:
        return None


def start_of(answer: str) -> int | None:
    """Where the answer's JSON begins; -1 where it cannot hold any, None where that may still come.

    Before it may stand 60 characters: text on its own line, and lines that end with ":" or open a fence.
    """
    found = re.search(r"[{\[]", answer)
    head = answer[: found.start()] if found else answer
    ended = [line.strip() for line in head.splitlines(keepends=True) if line.splitlines() != [line]]
    if len(head.strip()) > REACH or not all(line.endswith(":") or line[:3] in ("", "```") for line in ended):
        return -1
    return found.start() if found else None


def end_of(text: str) -> tuple[int | None, int]:
    """Where the JSON that the text begins with ends (None: not yet), and where its last whole member did."""
    depth, member = 0, 1
    for mark in _MARKS.finditer(text):
        if mark[0] in "{[":
            depth += 1
            if depth > DEEPEST:
                return 0, member
        elif mark[0] in "}]":
            depth -= 1
            if not depth:
                return mark.end(), member
        elif mark[0] == "," and depth == 1:
            member = mark.end()
    return None, member


def is_structure(text: str, gold: Any, *, whole: bool) -> bool | None:
    """Whether the answer's first JSON is `gold`; None where what follows decides."""
    start = start_of(text)
    if start is None and not whole:
        return None
    if start is None or start < 0:
        return False
    text = text[start:]
    end, member = end_of(text)
    if end is not None or whole:
        value = parsed(text[:end])
        return value is not None and same(value, gold)
    return None if _may_become(text, member, gold) else False


def same(first: Any, second: Any) -> bool:
    """Whether two JSON values are equal: keys in any order, numbers by value, texts by their normal form."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, str) and isinstance(second, str):
        return normal(first) == normal(second)
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    return bool(first == second)


def _may_become(text: str, member: int, gold: Any) -> bool:
    """Whether a JSON that begins so, with whole members up to `member`, may be `gold`."""
    is_object = text[0] == "{"
    if is_object != isinstance(gold, dict):
        return False
    done = parsed(text[: member - 1] + "}]"[not is_object]) if member > 1 else type(gold)()
    if done is None or (member > 1 and len(done) >= len(gold)):
        return False
    if not is_object:
        return all(map(same, done, gold))
    if not all(key in gold and same(done[key], gold[key]) for key in done):
        return False
    begun = _KEY.match(text, member)
    key = _text(begun[1]) if begun else None
    if begun is None or key is None:
        return True
    if key not in gold or key in done:
        return False
    value = begun[2]
    return value is None or (
        isinstance(gold[key], str) and may_become(plain(stable(value[1:]), whole=False), normal(gold[key]))
    )


def _text(quoted: str) -> str | None:
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key twice")
    return made


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
