"""A text cut into passages that overlap, at the ends of sentences where that is nearly as long."""

import re

from hubexpert.overlap import UNSPACED

LONGEST = 80  # characters of a word; of a longer one, as an address, every so many are one
NEAR = 4  # the last part, one of so many, of a passage in which the end of a sentence is looked for
# A letter of a script written without spaces counts as a word; what follows it, but letters and space, goes with it.
WORD = re.compile(rf"[{UNSPACED}][^\w\s]{{0,{LONGEST}}}|[^\s{UNSPACED}]{{1,{LONGEST}}}")
END = re.compile(r"[.!?…。！？][\"'”’»)\]]*$")
# Control characters, halves of surrogate pairs, and what turns the direction of writing around.
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def one_line(text: str) -> str:
    """The text on one line, every run of white space and control characters a space."""
    return " ".join(HIDDEN.sub(" ", text).split())


def split(text: str, words: int, overlap: int) -> list[str]:
    """The passages of a text, each on one line; none of a text of white space alone.

    Each begins with the last `overlap` words of the one before. A passage ends with the last sentence that ends in the
    last quarter of its `words` words, or after all of them.

    Args:
        text: of any length.
        words: of a passage, at most.
        overlap: less than `words`.
    """
    line = one_line(text)
    found = [(match.start(), match.end()) for match in WORD.finditer(line)]
    passages, begin = [], 0
    while begin < len(found):
        end = _end(line, found, begin, words, overlap)
        passages.append(line[found[begin][0] : found[end - 1][1]])
        if end == len(found):
            break
        begin = end - overlap
    return passages


def _end(line: str, found: list[tuple[int, int]], begin: int, words: int, overlap: int) -> int:
    """The number of the word behind the passage that begins at that word."""
    last = begin + words
    if last >= len(found):
        return len(found)
    earliest = begin + max(words - words // NEAR, overlap + 1)
    for end in range(last, earliest - 1, -1):
        if END.search(line[found[end - 1][0] : found[end - 1][1]]):
            return end
    return last
