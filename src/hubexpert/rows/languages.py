"""The language of a text, where it can be told, and the rows in languages that are not wanted."""

import json
from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from hubexpert.errors import needed
from hubexpert.overlap import words
from hubexpert.records import Example, Row

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SURE = 0.8  # probability of the language, as py3langid calibrates it: no English row of 8,000 was taken for another
FEWEST = 8  # words; of fewer, labels among them, nothing is said
PROSE = 0.85  # share of letters and white space among the characters; code, tables and formulas have less
READ = 2000  # characters of a text that are looked at
SHARE = 0.1  # of the examples whose language is known: one that fewer are in is a slip


def language_of(text: str) -> str | None:
    """The language of a text as an ISO 639-1 code; None where it is short, is no prose, or leaves doubts.

    Raises:
        HubExpertError: `py3langid` is not installed.
    """
    text = text.strip()[:READ]
    if len(words(text)) < FEWEST or _is_data(text):
        return None
    language, probability = _identifier().classify(text)
    return str(language) if probability >= SURE else None


def languages_of(examples: Iterable[Example]) -> frozenset[str]:
    """The languages of the examples' inputs and outputs, but for slips; none where none can be told.

    Raises:
        HubExpertError: `py3langid` is not installed.
    """
    found = Counter(code for example in examples for code in _spoken(example))
    return frozenset(code for code, count in found.items() if count >= SHARE * found.total())


def is_foreign(spoken: Example | Row, allowed: Collection[str]) -> bool:
    """Whether an example's input or output is in a language that is not allowed; never, where none is named.

    Of a row it is the example that counts, or the longest column where it makes none.

    Raises:
        HubExpertError: `py3langid` is not installed.
    """
    return bool(allowed) and any(code not in allowed for code in _spoken(spoken))


def _spoken(spoken: Example | Row) -> set[str]:
    if isinstance(spoken, Row):
        if spoken.example is None:
            longest = max(spoken.values.values(), key=len, default="")
            return {code for code in (language_of(longest),) if code}
        spoken = spoken.example
    return {code for text in (spoken.input, spoken.output) if (code := language_of(text))}


def _is_data(text: str) -> bool:
    """Whether a text is JSON, code, a table or a formula rather than prose."""
    if sum(character.isalpha() or character.isspace() for character in text) < PROSE * len(text):
        return True
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


@lru_cache(maxsize=1)
def _identifier() -> "LanguageIdentifier":
    langid = needed("py3langid.langid", "tells languages")
    identifier: LanguageIdentifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    return identifier
