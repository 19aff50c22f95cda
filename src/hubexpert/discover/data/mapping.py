"""A dataset's row as an example, by a map of its columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from hubexpert.metrics import names_choice
from hubexpert.records import ColumnMap, Example

NOTHING = Example(input="", output="")


def fields_of(
    row: Mapping[str, Any], columns: ColumnMap, class_names: Mapping[str, Sequence[str]] | None = None
) -> Example | None:
    """The example's fields that the row fills, the others empty; None where it fills none.

    A label becomes its class's name and the index of a choice the choice itself, where they are known; a label of no
    class (-1 in test splits) gives no output.

    Args:
        row: of JSON values.
        columns: which columns make which field.
        class_names: column -> the names of its classes.
    """
    if columns.input == (columns.output,):
        found = _chat(_value(row, columns.output))
    else:
        choices = _choices(row, columns.choices)
        found = Example(
            instruction=text_of(_value(row, columns.instruction)) if columns.instruction else "",
            input="\n".join(filter(None, (text_of(_value(row, path)) for path in columns.input))),
            output=_output(row, columns, choices, (class_names or {}).get(columns.output, ())),
            choices=tuple(filter(None, choices)),
            rationale=(text_of(_value(row, columns.rationale)) or None) if columns.rationale else None,
        )
    return found if found != NOTHING else None


def example_of(
    row: Mapping[str, Any], columns: ColumnMap, class_names: Mapping[str, Sequence[str]] | None = None
) -> Example | None:
    """The row as an example to learn from; None without an input or output, or with an output that is no choice.

    Args:
        row: of JSON values.
        columns: which columns make which field.
        class_names: column -> the names of its classes.
    """
    found = fields_of(row, columns, class_names)
    if found is None or not found.input or not found.output:
        return None
    return found if not found.choices or names_choice(found.output, found.choices) else None


def _value(row: Any, path: str) -> Any:
    """What lies under a path with dots; of a list of mappings the list of what lies in each."""
    if isinstance(row, list):
        return [_value(item, path) for item in row]
    if not isinstance(row, Mapping) or not path:
        return row if not path else None
    if path in row:
        return row[path]
    first, _, rest = path.partition(".")
    return _value(row[first], rest) if rest and first in row else None


def text_of(value: Any) -> str:
    """A value as text; of a chat its last message, of a list its texts in order."""
    if isinstance(value, list):
        if _is_chat(value):
            return _said(value[-1])
        return "\n".join(filter(None, (text_of(item) for item in value)))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _choices(row: Mapping[str, Any], paths: Sequence[str]) -> list[str]:
    """The choices, of one column that holds a list or of several columns; none where all of these are empty."""
    values = [_value(row, path) for path in paths]
    held = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    choices = [text_of(item) for item in held]
    return choices if any(choices) else []


def _output(row: Mapping[str, Any], columns: ColumnMap, choices: list[str], classes: Sequence[str]) -> str:
    value = _value(row, columns.output)
    if isinstance(value, list) and not _is_chat(value):  # several answers, or several labels
        names = [named(item, classes) for item in value]
        return ", ".join(filter(None, names)) if classes else next(filter(None, names), "")
    told = named(value, classes)
    if not choices:
        return told
    place = _place(value, told, columns.choices, choices, _labels(row, columns.choices))
    return choices[place] if place is not None else told


def named(value: Any, classes: Sequence[str]) -> str:
    """The name of the class with that number; without names, or of no number, the value as text."""
    if not classes or type(value) is not int:
        return text_of(value)
    return classes[value] if 0 <= value < len(classes) else ""


def _labels(row: Mapping[str, Any], paths: Sequence[str]) -> list[str]:
    """What stands beside the choices: of `choices.text` the list `choices.label`."""
    beside = _value(row, paths[0].rpartition(".")[0] + ".label") if "." in paths[0] else None
    return [text_of(item) for item in beside] if isinstance(beside, list) else []


def _place(value: Any, told: str, paths: Sequence[str], choices: list[str], labels: list[str]) -> int | None:
    """Which choice is meant: by its text, its label, its column's name, its number from 0 or its letter."""
    for known in (choices, labels, paths if len(paths) > 1 else ()):
        if told in known:
            return list(known).index(told)
    if type(value) is int:
        return value if 0 <= value < len(choices) else None
    if told.isascii() and told.isdecimal() and len(told) < 4:
        ends = [path[-1] for path in paths] if len(paths) > 1 else []
        if told in ends:  # "2" means `option2`
            return ends.index(told)
        place = int(told) - bool(ends)  # "1" means `answerA`; of a list the first one is 0
    else:
        letter = told.strip("(). ").upper()
        place = ord(letter) - ord("A") if len(letter) == 1 and letter.isascii() else -1
    return place if 0 <= place < len(choices) else None


def _is_chat(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(turn, dict) and _said(turn) for turn in value)


def _said(turn: Mapping[str, Any]) -> str:
    said = turn.get("content", turn.get("value"))
    return said.strip() if isinstance(said, str) else ""


def _chat(turns: Any) -> Example:
    """A chat: the system's words as instruction, the last message as output, what is between as input."""
    if not _is_chat(turns) or len(turns) < 2:
        return NOTHING
    spoken = [(turn.get("role", turn.get("from")), _said(turn)) for turn in turns]
    asked = [text for who, text in spoken[:-1] if who != "system"]
    instruction = "\n".join(text for who, text in spoken if who == "system")
    return Example(instruction=instruction, input="\n".join(asked), output=spoken[-1][1])
