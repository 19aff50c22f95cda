"""The short lead that may stand before an answer: "Answer:", "The answer is", "It is"."""

from itertools import product

from hubexpert.answers.normal import CLOSING, plain

_ARTICLES = ("", "the ", "my ")
_NOUNS = (
    *("answer", "correct answer", "right answer", "best answer", "final answer", "answer to the question"),
    *("option", "correct option", "choice", "correct choice", "output", "label", "result"),
)
_THAT = ("it is", "it's", "this is", "that is", "that's", "the statement is", "this statement is", "the sentence is")
_SENTENCES = (*("".join(words) for words in product(_ARTICLES, _NOUNS, ("", " is"))), *_THAT)
LEADS = frozenset(thus + sentence for thus, sentence in product(("", "so ", "so, ", "therefore, "), _SENTENCES))
_LONGEST = max(map(len, LEADS))
_BEGINNINGS = frozenset(lead[:length] for lead in LEADS for length in range(len(lead) + 1))


def after_lead(text: str, *, whole: bool) -> str | None:
    """What follows the lead in a text (plain): "" where there is none, None where it may still become one."""
    if not whole and len(text) <= _LONGEST and text.casefold() in _BEGINNINGS:
        return None
    for length in range(min(_LONGEST, len(text) - 1), 0, -1):
        if text[length] in CLOSING and text[:length].casefold() in LEADS:
            return plain(text[length:], whole=whole) or None
    return ""
