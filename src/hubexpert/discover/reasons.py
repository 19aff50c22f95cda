"""Reasons for a refusal, and strangers' text made fit to print."""

from typing import Literal, NamedTuple

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


class Reason(NamedTuple):
    """A stable code and a sentence."""

    code: Code
    sentence: str


def clean(text: object, limit: int = 80) -> str:
    """A stranger's text without control characters, cut to `limit` characters."""
    plain = "".join(c for c in str(text)[: 4 * limit] if c.isprintable())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
