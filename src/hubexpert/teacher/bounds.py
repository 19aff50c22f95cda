"""What asking will cost, told before anything is asked; and when a teacher is not asked for more."""

import sys
from collections import Counter
from collections.abc import Sequence

from hubexpert.errors import HubExpertError
from hubexpert.teacher.ask import Schema, Teacher, unanswered
from hubexpert.workspace import Journal

TRIAL = 32  # replies; a teacher of which none of so many is of use is not asked for more
CHARACTERS = 4  # about as many a token


def tell_cost(
    what: str,
    teachers: Sequence[Teacher],
    questions: Sequence[str],
    journal: Journal,
    *,
    schema: Schema | None = None,
    quiet: bool,
) -> None:
    """Say on stderr what is going to be asked, before it is: every question of every teacher (one a seed)."""
    if quiet:
        return
    left = [question for each in teachers for question in unanswered(each, questions, journal, schema=schema)]
    characters, longest = sum(map(len, left)), max(each.settings.max_tokens for each in teachers)
    print(  # noqa: T201
        f"The teacher, {what}: {len(teachers) * len(questions)} questions, {len(left)} of them new: {characters:,} "
        f"characters to read (about {characters // CHARACTERS:,} tokens), at most {len(left) * longest:,} tokens to "
        "write.",
        file=sys.stderr,
        flush=True,
    )


def of_no_use(codes: Sequence[str], wanted: str, teacher: Teacher) -> HubExpertError:
    """That none of the first replies is what was `wanted`, with what is most likely to help."""
    code, count = Counter(codes).most_common(1)[0]
    longer = f"raise `data.teacher.max_tokens` ({teacher.settings.max_tokens})"
    return HubExpertError(
        f"None of the teacher's first {len(codes)} replies is {wanted} ({code}: {count}).",
        fix=f"{longer} and run again" if code == "cut-short" else "name a stronger model under `data.teacher`",
    )
