"""The licence that a repository states: one reading for the Hub's answers and for cards on disk."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from hubexpert.escape import clean


def stated_license(tags: Iterable[object], card: Mapping[str, Any]) -> str | None:
    """The licence that the Hub tells of a repository: by its tags, else by the metadata of its card."""
    tagged = next((tag[8:] for tag in tags if isinstance(tag, str) and tag.startswith("license:")), None)
    return _named_license(tagged or card.get("license"), card)


def card_license(card: Path) -> str | None:
    """The licence in a card on disk."""
    text = card.read_text(encoding="utf-8", errors="replace")
    block = re.match(r"\s*---\r?\n(.*?)\r?\n---\s*(?:\r?\n|$)", text, re.DOTALL)
    try:
        data = yaml.safe_load(block.group(1)) if block else None
    except yaml.YAMLError:
        return None
    return _named_license(data.get("license"), data) if isinstance(data, dict) else None


def _named_license(value: Any, card: Mapping[str, Any]) -> str | None:
    """The licence's id in lower case; of `other` its name; None for none, `unknown` and what is no text."""
    first = value[0] if isinstance(value, list) and value else value
    name = card.get("license_name")
    if first == "other" and isinstance(name, str) and name.strip():
        first = name
    text = clean(first, longest=100).lower() if isinstance(first, str) else ""
    return text if text and text != "unknown" else None
