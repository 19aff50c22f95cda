"""The words of a text as BM25 compares them: the same of passages and of queries."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from hubexpert.errors import needed
from hubexpert.overlap import words
from hubexpert.rows.languages import language_of

# ISO 639-1 code -> what PyStemmer and bm25s call the language: those that both know.
LANGUAGES = {
    "da": "danish", "de": "german", "en": "english", "es": "spanish", "fr": "french", "it": "italian", "nl": "dutch",
    "no": "norwegian", "pt": "portuguese", "ru": "russian", "sv": "swedish",
}  # fmt: skip
LOOKED_AT = 500  # texts by which a language is told


def language(texts: Sequence[str]) -> str | None:
    """The language that most of the texts are in, of those whose words are stemmed; None where it is another.

    It is told of 500 of them, spread evenly; where none is long enough, it is English if all letters are ASCII.

    Raises:
        HubExpertError: `py3langid` is not installed.
    """
    some = [texts[place] for place in range(0, len(texts), -(-len(texts) // LOOKED_AT))]
    found = Counter(code for text in some if (code := language_of(text)))
    if not found:
        return "en" if all(text.isascii() for text in some) else None
    code = min(found, key=lambda code: (-found[code], code))
    return code if code in LANGUAGES else None


def terms(text: str, language: str | None) -> list[str]:
    """The words of a text, in order, without regard to case and forms of letters, but for stop words; stemmed.

    Args:
        text: a passage with its title, or a query.
        language: of the knowledge, a key of `LANGUAGES`; None: no word is left out or stemmed.

    Raises:
        HubExpertError: PyStemmer or bm25s is not installed.
    """
    if language is None:
        return list(words(text))
    stemmer, stopped = _stemming(language)
    found: list[str] = stemmer.stemWords([word for word in words(text) if word not in stopped])
    return found


@lru_cache
def _stemming(language: str) -> tuple[Any, frozenset[str]]:
    stopwords, stemmers = needed("bm25s.stopwords", "finds passages"), needed("Stemmer", "stems words")
    name = LANGUAGES[language]  # below, no cache of stems: it takes longer than stemming anew
    listed = stopwords.STOPWORDS_EN if name == "english" else getattr(stopwords, f"STOPWORDS_{name.upper()}")
    return stemmers.Stemmer(name, 0), frozenset(word for entry in listed for word in words(entry))
