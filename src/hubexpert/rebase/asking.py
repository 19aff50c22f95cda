"""What the teacher makes of rows, and what it says of that; what it will cost is told before it is asked."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hubexpert.errors import HubExpertError
from hubexpert.rebase.check import check_prompt, says_yes
from hubexpert.rebase.draft import read_draft
from hubexpert.rebase.form import Form
from hubexpert.rebase.transform import schema_of
from hubexpert.records import Example, Origin, Reply, TeacherCounts
from hubexpert.teacher import Schema, Teacher, ask, unanswered
from hubexpert.workspace import Journal

TRIAL = 32  # replies; a teacher of which none of so many is of use is not asked for more
CHARACTERS = 4  # about as many a token


@dataclass(frozen=True)
class Asked:
    """A retrieved row without its values, and the question about it."""

    origin: Origin
    text: str
    question: str
    marks: tuple[str, str]


def transformed(
    asked: Sequence[Asked], form: Form, teacher: Teacher, journal: Journal, *, quiet: bool
) -> tuple[list[Example | str], TeacherCounts]:
    """What the teacher made of each row: an example, or the code of the reason why there is none."""
    questions, schema = [each.question for each in asked], schema_of(form)
    _tell_cost("making examples of rows", teacher, questions, journal, schema, quiet=quiet)
    codes: list[str] = []
    useful = False

    def read(index: int, reply: Reply) -> Example | str:
        nonlocal useful
        draft = read_draft(reply, form, asked[index].marks)
        useful = useful or isinstance(draft, Example)
        if isinstance(draft, str):
            codes.append(draft)
            if not useful and len(codes) == TRIAL:
                raise _of_no_use(codes, teacher)
        return draft

    found, counts = ask(teacher, questions, read, journal, schema=schema, quiet=quiet)
    drafts: list[Example | str | None] = found  # type: ignore[assignment]  # mypy makes an object of the two types
    return [draft or "no-reply" for draft in drafts], counts


def _of_no_use(codes: Sequence[str], teacher: Teacher) -> HubExpertError:
    """That nothing came of the first replies, and what is most likely to help."""
    code, count = Counter(codes).most_common(1)[0]
    longer = f"raise `data.teacher.max_tokens` ({teacher.settings.max_tokens})"
    return HubExpertError(
        f"None of the teacher's first {len(codes)} replies is an example of the task ({code}: {count}).",
        fix=f"{longer} and run again" if code == "cut-short" else "name a stronger model under `data.teacher`",
    )


def checked(
    drafts: Sequence[Example | str], form: Form, teacher: Teacher, journal: Journal, *, quiet: bool
) -> tuple[list[Example | str], TeacherCounts]:
    """The drafts, without the examples of which the teacher does not say that they are right; no reply is a no."""
    places = [place for place, draft in enumerate(drafts) if isinstance(draft, Example)]
    questions = [check_prompt(form, draft) for draft in drafts if isinstance(draft, Example)]
    _tell_cost("checking examples", teacher, questions, journal, None, quiet=quiet)
    said, counts = ask(teacher, questions, lambda _, reply: says_yes(reply), journal, quiet=quiet)
    wrong = {place for place, yes in zip(places, said, strict=True) if not yes}
    return ["teacher-said-no" if place in wrong else draft for place, draft in enumerate(drafts)], counts


def _tell_cost(
    what: str, teacher: Teacher, questions: Sequence[str], journal: Journal, schema: Schema | None, *, quiet: bool
) -> None:
    """Say on stderr what is going to be asked, before it is."""
    if quiet:
        return
    left = unanswered(teacher, questions, journal, schema=schema)
    characters = sum(map(len, left))
    print(  # noqa: T201
        f"The teacher, {what}: {len(questions)} questions, {len(left)} of them new: {characters:,} characters to read "
        f"(about {characters // CHARACTERS:,} tokens), at most {len(left) * teacher.settings.max_tokens:,} tokens to "
        "write.",
        file=sys.stderr,
        flush=True,
    )
