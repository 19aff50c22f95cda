"""Texts whose words are the same and whose signs are not: `2 + 2` and `2 - 2`."""

import re
import unicodedata

from hubexpert.overlap import WORD

DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
SIGN = r"[-+*/%^=<>×÷]"
PIECE = re.compile(rf"{WORD.pattern}|{SIGN}(?:[ \t]*{SIGN})*|\n")


def signed(text: str) -> str:
    """The words of a text as `hubexpert.overlap` compares them, and the signs between operands, a space around each.

    An operand has a digit, or is a single letter: dashes, bullets and slashes between other words are punctuation.
    """
    form = unicodedata.normalize("NFKC", text).casefold().translate(DASHES)
    found = ["", *("".join(piece.split()) for piece in PIECE.findall(form)), ""]  # an end of a line is empty, too
    kept = [
        piece
        for before, piece, after in zip(found, found[1:], found[2:], strict=False)
        if WORD.match(piece) or (piece and _is_operand(before) and _is_operand(after))
    ]
    return f" {' '.join(kept)} "


def _is_operand(piece: str) -> bool:
    return any(map(str.isdigit, piece)) or (len(piece) == 1 and "a" <= piece <= "z")
