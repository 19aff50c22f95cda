"""The licence that a repository states: one reading for the Hub's answers and for cards on disk."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hubexpert.escape import clean
from hubexpert.frontmatter import FRONT_MATTER_LIMIT, CardError, card_data
from hubexpert.recipe import FREE_LICENSES


def stated_license(tags: Iterable[object], card: Mapping[str, Any]) -> str | None:
    """The licence that the Hub tells of a repository: by its tags, else by the metadata of its card."""
    tagged = [tag[8:] for tag in tags if isinstance(tag, str) and tag.startswith("license:")]
    return _named_license(tagged or card.get("license"), card)


def card_license(card: Path) -> str | None:
    """The licence in a card on disk; only the first megabyte is read, where its metadata must end."""
    with card.open("rb") as file:
        text = file.read(FRONT_MATTER_LIMIT).decode("utf-8", errors="replace")
    try:
        data = card_data(text)
    except CardError:
        return None
    return _named_license(data.get("license"), data) if data else None


def _named_license(value: Any, card: Mapping[str, Any]) -> str | None:
    """The licence's id in lower case; of `other` its name; None for none, `unknown` and what is no text.

    All of several must be kept, so the first that is not known to be free stands for them.
    """
    several = [each for each in value if isinstance(each, str)] if isinstance(value, list) else [value]
    first = next((each for each in several if str(each).lower() not in FREE_LICENSES), several[0] if several else None)
    name = card.get("license_name")
    if first == "other" and isinstance(name, str) and name.strip().lower() not in ("", "unknown"):
        first = name
    text = clean(first, longest=100).lower() if isinstance(first, str) else ""
    return text if text and text != "unknown" else None
