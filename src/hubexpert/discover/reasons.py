"""Reasons for a refusal, with short pieces of strangers' text in them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from hubexpert.escape import brief

Code = Literal[
    "other-base",
    "base-is-finetune",
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
    "too-old",
    "rank-too-high",
    "extra-modules",
    "vocab-changed",
    "config-broken",
    "header-broken",
    "shape-mismatch",
    "beyond-limit",
    "not-inspected",
]

# What a code says of an adapter, in a table.
MEANINGS: dict[Code, str] = {
    "other-base": "belongs to another base",
    "base-is-finetune": "belongs to a fine-tune of the base",
    "not-lora": "is no LoRA of PEFT's, and is not converted to one",
    "dora": "is a DoRA",
    "pickle-only": "has its weights only as a pickle",
    "no-weights": "has no weights at its root",
    "gated": "is gated",
    "private": "is private",
    "missing": "does not exist, or cannot be seen",
    "unreadable": "could not be read",
    "license-unknown": "states no licence",
    "license-forbidden": "has a licence that is not admitted",
    "unsafe-scan": "is called unsafe by the Hub's scans",
    "too-large": "is too large",
    "too-old": "changed before the day asked for",
    "rank-too-high": "has too high a rank",
    "extra-modules": "changes more than LoRA matrices",
    "vocab-changed": "was trained with another vocabulary",
    "config-broken": "has a broken configuration",
    "header-broken": "has broken weights",
    "shape-mismatch": "has matrices that do not fit together",
    "beyond-limit": "was not inspected: the limit was reached",
    "not-inspected": "was not inspected: there is no network",
}


SHOWN = 3  # names that a sentence holds


class Reason(NamedTuple):
    """A stable code and a sentence."""

    code: Code
    sentence: str


def last_part(module: str) -> str:
    """The last part of a module's name, with the one before where that is a number: `q_proj`, `to_out.0`."""
    path, _, name = module.rpartition(".")
    return brief(f"{path.rpartition('.')[2]}.{name}" if path and name.isdecimal() else name)


def some(names: Sequence[str]) -> str:
    """The first of some strangers' names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(brief(name) for name in names[:SHOWN]) + more
