"""A teacher's reply as an example of the task, or why it is none."""

import unicodedata
from typing import Any

from hubexpert.answers.normal import normal
from hubexpert.rebase.form import OPTIONS, Form
from hubexpert.rebase.salvage import salvage
from hubexpert.records import Example, Reply
from hubexpert.teacher.reply import printable

LONGEST = 8000  # characters of a text of an example
REASONS = {
    "names-task": "It names the task, or comes from a dataset of its own.",
    "share-cap": "Its dataset has given as many rows as one may.",
    "beyond": "Others are closer to the shots.",
    "no-values": "It has no values.",
    "no-reply": "The teacher did not reply, or will not.",
    "cut-short": "The reply ended before its JSON object did.",
    "no-json": "The reply holds no JSON object, or several.",
    "wrong-keys": "The object has other keys than were asked for, or something that is no text.",
    "empty": "A text of the example is empty.",
    "too-long": "A text of the example is too long.",
    "echoes-prompt": "The example repeats marks of the question.",
    "bad-label": "The output is none of the outputs that there are.",
    "same-text": "The output is the input.",
    "copies-shot": "The input is that of a shot.",
    "repeats": "Another row gave the same input.",
    "teacher-said-no": "Asked whether the example is right, the teacher did not say yes.",
}


def read_draft(reply: Reply, form: Form, marks: tuple[str, ...]) -> Example | str:
    """The example that the reply gives, or the code of the reason why it gives none.

    Whatever the teacher was led to write, what passes has the task's form: it holds nothing but texts that any reader
    takes, its output is one of the labels where there are labels, and its input is none of the shots'.

    Args:
        reply: what the teacher wrote.
        form: of the task's examples.
        marks: of the question.
    """
    found = salvage(reply.text, form.keys)
    if found is None:
        return "cut-short" if reply.cut else "no-json"
    texts = _texts(found, form)
    if texts is None:
        return "wrong-keys"
    if not all(any(unicodedata.category(character)[0] in "LNPS" for character in text) for text in texts.values()):
        return "empty"
    if any(len(text) > LONGEST for text in texts.values()):
        return "too-long"
    if any(mark in text for mark in marks for text in texts.values()):
        return "echoes-prompt"
    return _example(texts["input"], texts["output"], texts.get("rationale"), form)


def _example(given: str, output: str, rationale: str | None, form: Form) -> Example | str:
    """The example of these texts, its choices taken from its input where they stand there, or a reason code."""
    choices = form.choices
    if form.options:
        given, _, listed = given.rpartition(OPTIONS)
        choices = tuple(line.removeprefix("- ").strip() for line in listed.splitlines() if line.startswith("- "))
        if not given.strip() or len({normal(choice) for choice in choices}) < max(2, len(choices)):
            return "bad-label"
    labels = choices or form.labels
    spelled = next((label for label in labels if normal(label) == normal(output)), None)
    if labels and spelled is None:
        return "bad-label"
    if normal(given) == normal(output):
        return "same-text"
    if normal(given) in form.inputs:
        return "copies-shot"
    return Example(
        instruction=form.instruction,
        input=given.strip(),
        output=spelled or output,
        rationale=rationale,
        choices=choices,
    )


def _texts(found: dict[str, Any], form: Form) -> dict[str, str] | None:
    """The object's texts; numbers and truths as JSON writes them; None where keys are others or something is no text.

    Escapes in the JSON may have brought back what was taken out of the reply: control characters, half surrogates.
    """
    if found.keys() != set(form.keys) or not all(isinstance(value, str | int | float) for value in found.values()):
        return None
    return {
        key: printable(str(value).lower() if isinstance(value, bool) else str(value)) for key, value in found.items()
    }
