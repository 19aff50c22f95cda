"""What the teacher makes of rows, and what it says of that; what it will cost is told before it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from hubexpert.rebase.check import check_prompt, says_yes
from hubexpert.rebase.draft import read_draft
from hubexpert.rebase.form import Form
from hubexpert.rebase.transform import schema_of
from hubexpert.records import Example, Origin, Reply, TeacherCounts
from hubexpert.teacher import Teacher, ask
from hubexpert.teacher.bounds import TRIAL, of_no_use, tell_cost
from hubexpert.workspace import Journal


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
    tell_cost("making examples of rows", [teacher], questions, journal, schema=schema, quiet=quiet)
    codes: list[str] = []
    useful = False

    def read(index: int, reply: Reply) -> Example | str:
        nonlocal useful
        draft = read_draft(reply, form, asked[index].marks)
        useful = useful or isinstance(draft, Example)
        if isinstance(draft, str):
            codes.append(draft)
            if not useful and len(codes) == TRIAL:
                raise of_no_use(codes, "an example of the task", teacher)
        return draft

    found, counts = ask(teacher, questions, read, journal, schema=schema, quiet=quiet)
    drafts: list[Example | str | None] = found  # type: ignore[assignment]  # mypy makes an object of the two types
    return [draft or "no-reply" for draft in drafts], counts


def checked(
    drafts: Sequence[Example | str], form: Form, teacher: Teacher, journal: Journal, *, quiet: bool
) -> tuple[list[Example | str], TeacherCounts]:
    """The drafts, without the examples of which the teacher does not say that they are right; no reply is a no."""
    places = [place for place, draft in enumerate(drafts) if isinstance(draft, Example)]
    questions = [check_prompt(form, draft) for draft in drafts if isinstance(draft, Example)]
    tell_cost("checking examples", [teacher], questions, journal, quiet=quiet)
    said, counts = ask(teacher, questions, lambda _, reply: says_yes(reply), journal, quiet=quiet)
    wrong = {place for place, yes in zip(places, said, strict=True) if not yes}
    return ["teacher-said-no" if place in wrong else draft for place, draft in enumerate(drafts)], counts
