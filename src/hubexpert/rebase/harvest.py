"""Rows retrieved by their values and made examples by the teacher, with what came of every row (ReBase)."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from hubexpert.answers.normal import normal
from hubexpert.progress import track
from hubexpert.rebase.asking import Asked, checked, transformed
from hubexpert.rebase.draft import REASONS
from hubexpert.rebase.form import Form, form_of
from hubexpert.rebase.retrieve import Rows, names_task, retrieve
from hubexpert.rebase.score import Scores
from hubexpert.rebase.transform import transform_prompt
from hubexpert.recipe import RebaseSection, TaskSection
from hubexpert.records import Example, Harvest, Origin, RefusedRow, Row, TrainingExample
from hubexpert.teacher import Teacher
from hubexpert.teacher.reply import printable
from hubexpert.workspace import Journal

SAMPLES = 3  # refused rows of each code that are told
BEGINNING = 200  # characters of their text
AT_ONCE = 64  # rows in memory


def rebase(
    rows: Rows,
    scores: Scores,
    shots: Sequence[Example],
    teacher: Teacher,
    journal: Journal,
    section: RebaseSection,
    task: TaskSection,
    *,
    quiet: bool = False,
) -> Harvest:
    """The examples that the teacher makes of the closest rows, the closest first.

    Every reply is kept in the journal, so that another run asks only for what is lacking. A reply that is no example is
    refused with its code, and does not count as a failure of the teacher's: many are normal for a small one. But where
    none of the first replies is of use the run stops.

    Args:
        rows: all of them.
        scores: of all rows, as `score` gives them.
        shots: at least one.
        teacher: who is asked.
        journal: where its replies lie.
        section: how many rows, and whether examples are checked.
        task: its name, instruction and own datasets.
        quiet: no progress, and nothing of what it costs, on stderr.

    Raises:
        HubExpertError: the teacher cannot be asked, leaves more than `most_failures` of the questions without a reply,
            or none of its first replies is of use.
    """
    form = form_of(shots, task)
    named = [names_task(row, task) for row in track(rows, "looking for the task's name", total=rows.count, quiet=quiet)]
    found = retrieve(scores, np.array(named, dtype=bool), rows=section.rows, share=section.share)
    refused = Counter({code: len(places) for code, places in found.refused.items()})
    samples = [
        _refused(_origin(row, scores.rows[place]), _text(row), code)
        for code, places in found.refused.items()
        if code != "beyond"
        for place, row in zip(places[:SAMPLES], rows.at(list(places[:SAMPLES])), strict=True)
    ]
    asked = list(_questions(rows, found.taken, scores, form))
    drafts, counts = transformed(asked, form, teacher, journal, quiet=quiet)
    drafts = _once(drafts)
    if section.checked:
        drafts, more = checked(drafts, form, teacher, journal, quiet=quiet)
        counts += more
    kept = []
    for each, draft in zip(asked, drafts, strict=True):
        if isinstance(draft, Example):
            kept.append(TrainingExample(example=draft, origin=each.origin))
            continue
        refused[draft] += 1
        if refused[draft] <= SAMPLES:
            samples.append(_refused(each.origin, each.text, draft))
    harvest = Harvest(
        method="rebase",
        considered=rows.count,
        kept=tuple(kept),
        refused=dict(sorted(refused.items())),
        samples=tuple(samples),
        teacher=counts,
    )
    _tell_result(harvest, len(asked), quiet=quiet)
    return harvest


def _questions(rows: Rows, places: Sequence[int], scores: Scores, form: Form) -> Iterator[Asked]:
    """The rows at these places with their questions; few whole rows are in memory at once.

    Raises:
        ValueError: the scores are not those of these rows.
    """
    for start in range(0, len(places), AT_ONCE):
        part = list(places[start : start + AT_ONCE])
        for place, row in zip(part, rows.at(part), strict=True):
            closeness = scores.values[scores.starts[place] : scores.starts[place + 1]]
            if len(closeness) != len(row.values):
                raise ValueError(f"row {place} has {len(row.values)} values, and {len(closeness)} are scored")
            question, marks = transform_prompt(form, row.values, closeness.tolist())
            yield Asked(_origin(row, scores.rows[place]), _text(row), question, marks)


def _once(drafts: Sequence[Example | str]) -> list[Example | str]:
    """The drafts, of examples with the same input the first one only."""
    seen: set[str] = set()
    kept: list[Example | str] = []
    for draft in drafts:
        text = "" if isinstance(draft, str) else normal(draft.input)
        kept.append("repeats" if text in seen else draft)
        if text:
            seen.add(text)
    return kept


def _tell_result(harvest: Harvest, asked: int, *, quiet: bool) -> None:
    """Say on stderr what came of the rows."""
    if not quiet:
        why = ", ".join(f"{code} {count}" for code, count in harvest.refused.items() if code != "beyond")
        print(  # noqa: T201
            f"rebase: {len(harvest.kept)} examples of {asked} rows{f' (refused: {why})' if why else ''}.",
            file=sys.stderr,
            flush=True,
        )


def _text(row: Row) -> str:
    """The beginning of a row's values, for people."""
    return printable(" | ".join(value[:BEGINNING] for value in row.values.values() if value)[:BEGINNING])


def _origin(row: Row, closeness: float) -> Origin:
    closeness = float(closeness) if np.isfinite(closeness) else 0.0
    return Origin(method="rebase", closeness=closeness, **row.place)


def _refused(origin: Origin, text: str, code: str) -> RefusedRow:
    return RefusedRow(code=code, reason=REASONS[code], text=text, **origin.place)
