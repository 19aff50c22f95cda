"""The explanation in a teacher's reply: what follows the answer, which must be the gold output."""

import re
import string
from collections.abc import Iterator, Sequence
from itertools import islice

from hubexpert.answers.choices import OPPOSITES
from hubexpert.metrics import exact_match
from hubexpert.records import Example, Reply

SENTENCES = 3
LONGEST = 2000  # characters; three sentences that are longer are none
EDGES = string.whitespace + ".!?\"'`*_#:;,“”"
ANSWER = re.compile(
    r"(?:the )?(?:correct |right |final )?answer(?: to (?:the|this) \w+)?(?:\s*:|\s+is\b:?)\s*", re.IGNORECASE
)
EXPLANATION = re.compile(r"(?:short )?(?:explanation|rationale|reason|reasoning|why)\s*:\s*", re.IGNORECASE)
LETTER = re.compile(r"\(?([A-Z])(?:[).:]\s*|$)")
NUMBER = re.compile(r"[$€£]?\s*-?\d[\d,]*(?:\.\d+)?\s*%?")
BREAK = re.compile(r"[\"'”’)\]]*\s*(?:[.:;!–—-]+[\"'”’)\]]*(?:\s+|$)|$)|,?\s+(?=(?:because|since|as)\b)", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?![a-z])|(?<=[。！？])(?=.)")
NO_END = re.compile(r"^\d{1,2}\.$|(?:^|[\s(.])(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|Fig|vs|cf|etc|e\.g|i\.e)\.$")


def read_explanation(reply: Reply, example: Example, *, mark: str) -> str | None:
    """The explanation on one line, of at most three sentences; None where there is none, or of another answer.

    Args:
        reply: the answer first, then its explanation; either may have a heading.
        example: what was asked about.
        mark: what set the question's parts apart; lines of the reply that repeat it are left out.
    """
    lines = [
        line.strip().strip("*_#`").strip() for line in reply.text.replace("**", "").splitlines() if mark not in line
    ]
    lines = [line for line in lines if line]
    headed = bool(lines) and ANSWER.match(lines[0]) is not None
    if headed:
        lines[0] = ANSWER.sub("", lines[0], count=1)
        lines = lines if lines[0] else lines[1:]
    if not lines:
        return None
    first, others = lines[0], lines[1:]
    after = _after_answer(first, example, alone=bool(others))
    if after is None and _is_another(first, example, headed=headed, alone=bool(others)):
        return None
    text = " ".join(" ".join([first if after is None else after, *others]).split())
    text = EXPLANATION.sub("", text, count=1) if EXPLANATION.match(text) else text
    again = _after_answer(text, example, alone=False)
    return _capped(text if again is None else again, cut=reply.cut)


def _after_answer(line: str, example: Example, *, alone: bool) -> str | None:
    """What follows the gold output at the beginning of the line; None where it is not there, or part of a sentence.

    Args:
        line: a line of the reply.
        example: holds the gold output.
        alone: whether more lines follow: a word or two beside the answer are then no explanation.
    """
    letter = LETTER.match(line)
    if letter and example.choices and _chosen(letter[1], example):
        line = line[letter.end() :]
        if not line:
            return ""
    begun = _longest(line, _golds(example))
    if begun is None:
        return line if letter and example.choices and _chosen(letter[1], example) else None
    rest = line[begun:]
    parted = BREAK.match(rest) or (example.output.strip(EDGES).lower() in OPPOSITES and re.match(r",\s+", rest))
    if parted:
        return rest[parted.end() :].strip()
    return "" if alone and len(rest.split()) <= 3 else None


def _is_another(line: str, example: Example, *, headed: bool, alone: bool) -> bool:
    """Whether the line, at whose head the gold output does not stand alone, gives another answer, or none."""
    gold, rival = _longest(line, _golds(example)) or 0, _longest(line, _rivals(example)) or 0
    if gold or rival:
        return rival >= gold
    letter = LETTER.match(line)
    if letter and ord(letter[1]) - ord("A") < len(example.choices):
        return True
    clause = re.split(r"[.:;,](?:\s|$)", line, maxsplit=1)[0].strip()
    if NUMBER.fullmatch(example.output.strip()) and NUMBER.fullmatch(clause):
        return True
    if headed or (alone and len(line.split()) <= max(6, len(example.output.split()) + 3)):
        return True
    return not any(re.search(rf"(?<!\w){pattern}", line, re.IGNORECASE) for pattern in _patterns(_golds(example)))


def _golds(example: Example) -> list[str]:
    """The gold output, and the choice that it names."""
    return [example.output, *(choice for choice in example.choices if exact_match(choice, example))]


def _rivals(example: Example) -> list[str]:
    """The answers that are not the gold output, as far as they are known."""
    if example.choices:
        return [choice for choice in example.choices if not exact_match(choice, example)]
    opposite = OPPOSITES.get(example.output.strip(EDGES).lower())
    return [opposite] if opposite else []


def _chosen(letter: str, example: Example) -> bool:
    """Whether the letter names the choice that the gold output is."""
    index = ord(letter) - ord("A")
    return index < len(example.choices) and bool(exact_match(example.choices[index], example))


def _longest(line: str, answers: Sequence[str]) -> int | None:
    """Where the longest of the answers that the line begins with ends; None where it begins with none."""
    before = r"[\"'“‘(]*(?:(?:the|an?)\s+)?"
    found = [re.match(before + pattern, line, re.IGNORECASE) for pattern in _patterns(answers)]
    return max((match.end() for match in found if match), default=None)


def _patterns(answers: Sequence[str]) -> Iterator[str]:
    """What finds each answer, without the signs around it, as whole words."""
    for answer in answers:
        words = (answer.strip(EDGES) or answer).split()
        if words:
            yield r"\s+".join(map(re.escape, words)) + r"(?!\w)(?![.,]\d)"


def _capped(text: str, *, cut: bool) -> str | None:
    """The first sentences; of a reply that was cut short without the last one, which has no end."""
    sentences = list(islice(_sentences(text), SENTENCES + 1))
    if cut and sentences and not re.search(r"[.!?。！？][\"'”’)\]]*$", sentences[-1]):
        del sentences[-1]
    kept = " ".join(sentences[:SENTENCES])
    return kept if len(kept) <= LONGEST and any(character.isalnum() for character in kept) else None


def _sentences(text: str) -> Iterator[str]:
    """The sentences of one line; abbreviations, initials and the numbers of a list end none."""
    start = 0
    for end in SENTENCE_END.finditer(text):
        if not NO_END.search(text[max(start, end.start() - 10) : end.start()]):
            yield text[start : end.end()].strip()
            start = end.end()
    if text[start:].strip():
        yield text[start:].strip()
