"""Columns by their names and types, as the guess compares them."""

import re
from collections.abc import Iterator, Mapping, Sequence

TEXT = re.compile(r"(large_)?(string|utf8)(_view)?|str|text|null|unknown|\? .*")
LABEL = re.compile(r"class_label|bool|u?int\d*|\? .*|unknown")
MEANT = (".text", ".contexts", ".spans", ".choices", "answer.value")  # of a struct, the column that is meant


def by_name(columns: Mapping[str, str]) -> dict[str, str]:
    """Name as it is compared -> column; of a struct with a text, the struct's name stands for its text."""
    names: dict[str, str] = {}
    for path in columns:
        names.setdefault(re.sub(r"[\s_-]", "", path).lower(), path)
    for name in [name for name in names if name.endswith(MEANT)]:
        around = name.rpartition(".")[0]
        if around not in names or "struct" in columns[names[around]]:
            names[around] = names[name]
    return names


def present(names: str, known: Mapping[str, str]) -> Iterator[str]:
    """The columns of these names (`a|b`, brackets do not matter) that are there."""
    return (known[name] for name in names.strip("()").split("|") if name in known)


def is_text(type_: str) -> bool:
    """Whether a column of this type holds a text or several."""
    return bool(TEXT.fullmatch(type_.removeprefix("list<").removesuffix(">")))


def is_output(type_: str) -> bool:
    """Whether a column of this type may be an output: a text, a label or a number, or several."""
    held = type_.removeprefix("list<").removesuffix(">")
    return bool(TEXT.fullmatch(held) or LABEL.fullmatch(held) or held.startswith("float"))


def first_text(names: str, columns: Mapping[str, str], known: Mapping[str, str], used: Sequence[str]) -> str | None:
    """The first column of these names that holds a text and is not used yet."""
    return next((p for p in present(names, known) if p not in used and is_text(columns[p])), None)
