"""The question that makes a row an example of the task (ReBase, arXiv 2407.05463, 3.3)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hubexpert.filled import prompt
from hubexpert.rebase.form import OPTIONS, Form
from hubexpert.records import Example
from hubexpert.teacher.mark import mark
from hubexpert.teacher.reply import printable

LONGEST_VALUE = 250  # characters; what is longer is cut
LONGEST_NAME = 60  # characters of a column's name
LONGEST_ROW = 4000  # characters of all values; of longer rows only the best columns are shown
BEST = 2


def transform_prompt(form: Form, values: Mapping[str, str], closeness: Sequence[float]) -> tuple[str, tuple[str, str]]:
    """The question to the teacher, and its marks.

    Args:
        form: of the task's examples.
        values: column -> text, of the whole row.
        closeness: of each column to the shots.
    """
    facts = facts_of(form, json.dumps(dict(values), ensure_ascii=False))
    text = prompt("transform.jinja", {**facts, "row": shown_row(values, closeness)})
    return text, (str(facts["outer"]), str(facts["own"]))


def facts_of(form: Form, stranger: str) -> dict[str, object]:
    """What a question says of the task, and its marks.

    The task and the shots stand between marks that hang on them alone, so that all questions begin alike and a server
    may read the beginning once. What is a stranger's stands between others, which hang on all of it, too. It can forge
    neither: where it holds the first, they are replaced by the second.

    Args:
        form: of the task's examples.
        stranger: the whole text that is not the user's.
    """
    shots = [shown(form, shot) for shot in form.shown]
    known = json.dumps([form.instruction, shots, form.labels], ensure_ascii=False)
    outer, own = mark(known), mark(known + stranger)
    return {
        "outer": own if outer in stranger else outer,
        "own": own,
        "instruction": form.instruction,
        "shots": shots,
        "labels": form.labels,
        "keys": form.keys,
        "options": form.options,
    }


def shown(form: Form, example: Example) -> str:
    """An example as the teacher sees it, and should write one: a JSON object on one line."""
    choices = "".join(f"- {choice}\n" for choice in example.choices) if form.options else ""
    said = {
        "input": f"{example.input}{OPTIONS}{choices}".rstrip() if choices else example.input,
        "rationale": example.rationale,
        "output": example.output,
    }
    return json.dumps({key: said[key] for key in form.keys}, ensure_ascii=False)


def shown_row(values: Mapping[str, str], closeness: Sequence[float]) -> str:
    """A row as the teacher sees it: a JSON object on one line, its values cut, of a long row the best columns only."""
    columns = list(values)
    if sum(len(column) + len(value) for column, value in values.items()) > LONGEST_ROW:
        best = sorted(range(len(columns)), key=lambda index: (-closeness[index], index))[:BEST]
        columns = [columns[index] for index in sorted(best)]
    cut = {_cut(column, LONGEST_NAME): _cut(values[column], LONGEST_VALUE) for column in columns}
    return json.dumps(cut, ensure_ascii=False)


def schema_of(form: Form) -> dict[str, Any]:
    """The JSON schema of a reply."""
    properties: dict[str, Any] = {key: {"type": "string"} for key in form.keys}
    if form.labels:
        properties["output"]["enum"] = list(form.labels)
    return {
        "type": "object", "properties": properties, "required": list(form.keys), "additionalProperties": False,
    }  # fmt: skip


def _cut(text: str, longest: int) -> str:
    text = printable(text[: 4 * longest])
    return text if len(text) <= longest else text[: longest - 1] + "…"
