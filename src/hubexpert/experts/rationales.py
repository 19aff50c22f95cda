"""Shots whose output is bare, with rationales that the teacher writes (Open Knowledge, 3.1)."""

import json
import re
from collections.abc import Sequence

from hubexpert.experts.explanation import read_explanation
from hubexpert.filled import prompt
from hubexpert.records import Example, Rationales, Reply
from hubexpert.teacher import Teacher, ask
from hubexpert.teacher.mark import mark
from hubexpert.workspace import Journal

MOST_WORDS = 25  # of a bare output; longer ones say enough by themselves
MOST_CHARACTERS = 200  # the same where words are not set apart by spaces
CODE = re.compile(r"^[\[{<]|`|=>|[=!:]=|[;{}]$|[A-Za-z_]{2}\w*\(|^def |^SELECT ")
REASONS = re.compile(r"\b(?:because|therefore|thus|hence)\b", re.IGNORECASE)


def with_rationales(shots: Sequence[Example], teacher: Teacher, journal: Journal, *, quiet: bool = False) -> Rationales:
    """The shots in their order; those with a bare output and no rationale get one, where the teacher writes one.

    Raises:
        HubExpertError: the teacher cannot be asked, or leaves too many questions without a usable reply.
    """
    lacking = [index for index, shot in enumerate(shots) if not shot.rationale and is_bare(shot)]

    def read(index: int, reply: Reply) -> str | None:
        shot = shots[lacking[index]]
        return read_explanation(reply, shot, mark=_mark(shot))

    prompts = [rationale_prompt(shots[index]) for index in lacking]
    written, counts = ask(teacher, prompts, read, journal, quiet=quiet)
    found = dict(zip(lacking, written, strict=True))
    return Rationales(
        shots=tuple(
            shot.model_copy(update={"rationale": found[index]}) if found.get(index) else shot
            for index, shot in enumerate(shots)
        ),
        counts=counts,
    )


def is_bare(example: Example) -> bool:
    """Whether the output is a choice, a label, a number or a few words: nothing that reasons, no code, nothing long."""
    output = example.output.strip()
    if example.choices:
        return True
    short = len(output.split()) <= MOST_WORDS and len(output) <= MOST_CHARACTERS and len(output.splitlines()) == 1
    return short and not CODE.search(output) and not REASONS.search(output)


def rationale_prompt(example: Example) -> str:
    """The question to the teacher: the example with its gold output, each part between marks that it cannot forge."""
    facts = {
        "mark": _mark(example),
        "instruction": example.instruction,
        "input": example.input,
        "choices": example.choices,
        "answer": example.output,
    }
    return prompt("rationale.jinja", facts)


def _mark(example: Example) -> str:
    """What sets the parts of the question apart: it hangs on the whole example but its rationale."""
    return mark(json.dumps(example.model_dump(mode="json", exclude={"rationale"}), sort_keys=True, ensure_ascii=False))
