"""A dataset's row as an example's fields, cut short: to show people what a mapping does."""

from collections.abc import Mapping, Sequence
from typing import Any

from hubexpert.discover.data.mapping import fields_of
from hubexpert.escape import clean
from hubexpert.records import ColumnMap

LONGEST = 300  # characters of a field


def mapped(
    row: Mapping[str, Any], columns: ColumnMap, class_names: Mapping[str, Sequence[str]] | None = None
) -> dict[str, str]:
    """The example's fields that the row fills: `instruction`, `input`, `output`, `choices`, `rationale`.

    Args:
        row: of JSON values.
        columns: which columns make which field.
        class_names: column -> the names of its classes.
    """
    found = fields_of(row, columns, class_names)
    if found is None:
        return {}
    fields = {
        "instruction": found.instruction,
        "input": found.input,
        "output": found.output,
        "choices": " | ".join(found.choices),
        "rationale": found.rationale or "",
    }
    shown = {name: clean(text, longest=LONGEST) for name, text in fields.items()}
    return {name: text for name, text in shown.items() if text}
