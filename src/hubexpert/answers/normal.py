"""Normal forms of texts, of whole ones and of ones that are still being written."""

import re
import unicodedata

PUNCTUATION = ".!?\"'`*:;,«»"
CLOSING = f"{PUNCTUATION} "
UNFINISHED = "\ufffd"  # what decoders give for a character of which the last bytes are still missing

# A point before a digit belongs to the number; a dash before a space opens an item of a list.
_OPENING = re.compile(rf"(?:[{re.escape(CLOSING.replace('.', ''))}]|\.(?!\d)|[-•](?= |\Z))+")
_PIECE = re.compile(r"[\x00-\x7f]+[^\x00-\x7f]{0,1000}|[^\x00-\x7f]{1,1000}")
_QUOTES = str.maketrans("‘’“”−", "''\"\"-")


def plain(text: str, *, whole: bool = True) -> str:
    """The text in NFKC, white space collapsed, punctuation before it stripped; upper and lower case as they are.

    Of a whole text that is nothing but punctuation all of it; of one that may go on the empty text.
    """
    text = " ".join(_nfkc(text).translate(_QUOTES).split())
    opening = _OPENING.match(text)
    stripped = text[opening.end() :] if opening else text
    return stripped or (text if whole else "")


def folded(text: str) -> str:
    """The text without differences of upper and lower case."""
    return _nfkc(text.casefold())


def normal(text: str) -> str:
    """What free texts are compared by: NFKC, case folded, white space collapsed, punctuation around it stripped.

    Punctuation inside it may matter (JSON, code).
    """
    return finished(plain(text))


def finished(text: str) -> str:
    """The normal form of a plain text."""
    form = folded(text)
    return form.rstrip(CLOSING) or form


def may_become(partial: str, gold: str) -> bool:
    """Whether a text that begins with `partial` (plain and stable) may have the normal form `gold`."""
    form = folded(partial)
    return gold.startswith(form) or (form.startswith(gold) and not form[len(gold) :].strip(CLOSING))


def stable(partial: str) -> str:
    """The longest beginning of the text whose NFKC begins that of every continuation.

    A mark that follows may still change the last character: e and U+0301 are é.
    """
    partial = partial.rstrip(UNFINISHED)
    for index in range(len(partial) - 1, -1, -1):
        character = partial[index]
        if _is_apart(character):
            inert = character.isascii() and not character.isalpha() and character not in "<=>"
            return partial[: index + inert]
    return ""


def _is_apart(character: str) -> bool:
    """Whether the character never combines with those before it; False where that is not certain."""
    if character.isascii():
        return True
    if character > "\uffff" or "\u1160" <= character <= "\u11ff":  # vowels and finals of Hangul are letters that do
        return False
    return unicodedata.category(character)[0] in "LNPSZ" and _nfkc(character) == character


def _nfkc(text: str) -> str:
    """The text in NFKC, piece by piece: Python sorts a run of marks in quadratic time.

    No ASCII character combines with those before it, so that only runs of over 1000 others can differ.
    """
    if text.isascii():
        return text
    return "".join(unicodedata.normalize("NFKC", piece) for piece in _PIECE.findall(text))
