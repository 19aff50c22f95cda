"""Reasons for a refusal, with short pieces of strangers' text in them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from hubexpert.escape import clean

Code = Literal[
    "other-base",
    "not-lora",
    "dora",
    "pickle-only",
    "no-weights",
    "gated",
    "private",
    "missing",
    "unreadable",
    "license-unknown",
    "license-forbidden",
    "unsafe-scan",
    "too-large",
    "rank-too-high",
    "extra-modules",
    "config-broken",
    "header-broken",
    "shape-mismatch",
]


SHOWN = 3  # names that a sentence holds


class Reason(NamedTuple):
    """A stable code and a sentence."""

    code: Code
    sentence: str


def brief(text: object) -> str:
    """A stranger's text as a part of a sentence."""
    return clean(text, longest=80)


def some(names: Sequence[str]) -> str:
    """The first of some strangers' names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(brief(name) for name in names[:SHOWN]) + more
