"""A teacher's reply as a rationale, or why it is none."""

import unicodedata

from hubexpert.answers.lead import after_lead
from hubexpert.answers.normal import finished, normal, plain
from hubexpert.metrics import names_choice
from hubexpert.records import ANSWER, Example, Reply

LONGEST = 2000  # characters; three sentences that are longer are none
REASONS = {
    "no-reply": "The teacher did not reply, or will not.",
    "cut-short": "The reply ended before the rationale did.",
    "empty": "The reply holds no words.",
    "too-long": "The rationale is too long.",
    "echoes-prompt": "The rationale repeats marks of the question.",
    "answer-mark": "The rationale holds the mark that sets it apart from the answer.",
    "answer-only": "The rationale is the answer and no more.",
    "repeats": "Another sample of the same question says the same.",
    "not-verified": "By it the base does not come to the gold output.",
}


def read_rationale(reply: Reply, example: Example, *, mark: str) -> tuple[str, str]:
    """The rationale on one line and no code, or no text and the code of the reason why there is none.

    Args:
        reply: what the teacher wrote.
        example: what was asked about.
        mark: of the question.
    """
    text = " ".join(reply.text.split())
    if reply.cut:
        code = "cut-short"
    elif not any(unicodedata.category(character)[0] in "LN" for character in text):
        code = "empty"
    elif len(text) > LONGEST:
        code = "too-long"
    elif mark in text:
        code = "echoes-prompt"
    elif ANSWER.casefold() in text.casefold():
        code = "answer-mark"
    elif _is_answer(text, example):
        code = "answer-only"
    else:
        return text, ""
    return "", code


def _is_answer(text: str, example: Example) -> bool:
    """Whether the text is the gold output, or another choice, and no more but for a lead ("The answer is")."""
    known = {normal(each) for each in (example.output, *example.choices)}
    rest = after_lead(plain(text), whole=True)
    letter = " " not in text and names_choice(text, example.choices)
    return letter or normal(text) in known or (bool(rest) and finished(rest or "") in known)
