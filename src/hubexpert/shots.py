"""K-shot files -> examples: JSONL in one of three forms, checked line by line."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubexpert.errors import HubExpertError
from hubexpert.metrics import names_choice
from hubexpert.recipe import Recipe, TaskSection
from hubexpert.recipe.section import HALF
from hubexpert.records import Example, Record
from hubexpert.workspace import fingerprint

WHOLE = "write the character itself, or both halves of its escape (as in \\ud83d\\ude00)"
FORMS = "`input` and `output` (or `target`), `prompt` and `completion`, or `messages`"


class Task(Record):
    """A task's examples and how an answer is judged. `test` is empty where the recipe names no held-out file."""

    metric: str
    shots: tuple[Example, ...]
    test: tuple[Example, ...]


@dataclass(frozen=True)
class Line:
    """An example and where it stands.

    Attributes:
        file: a JSONL file.
        number: of the line in it, from 1.
        text: the line as it is, without its newline.
        example: that it holds.
    """

    file: Path
    number: int
    text: str
    example: Example


def read_task(recipe: Recipe, folder: Path) -> Task:
    """The recipe's task, its example files looked up relative to `folder` (where the recipe lies).

    Raises:
        HubExpertError: a file is missing, empty or holds a line that is no example, or fewer than are to be drawn.
    """
    section: TaskSection = recipe.task
    shots = read_examples(folder / section.shots, instruction=section.instruction)
    if section.draw is not None and section.draw > len(shots):
        raise HubExpertError(
            f"`task.draw` asks for {section.draw} shots, and there are {len(shots)}.",
            fix="lower `task.draw`, or add examples to `task.shots`",
        )
    if section.draw is not None:
        shots = tuple(random.Random(recipe.seed).sample(shots, section.draw))  # noqa: S311  not for secrets
    test = read_examples(folder / section.test, instruction=section.instruction) if section.test else ()
    return Task(metric=section.metric, shots=shots, test=test)


def read_examples(path: Path, *, instruction: str = "") -> tuple[Example, ...]:
    """The examples in a JSONL file, or in all `*.jsonl` files of a folder in order of name.

    Args and errors are those of `read_lines`.
    """
    return tuple(line.example for line in read_lines(path, instruction=instruction))


def read_lines(path: Path, *, instruction: str = "") -> tuple[Line, ...]:
    """The same, with the lines they stand in.

    Args:
        path: the file or folder.
        instruction: stands for the instruction of examples which have none of their own.

    Raises:
        HubExpertError: nothing there, or a line that is no example; the message names file and line.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise HubExpertError(
            f"There is no examples file at {path}.", fix="correct the path (in a recipe `task.shots` or `task.test`)"
        )
    found = tuple(line for file in files for line in _read_file(file, instruction))
    if not found:
        raise HubExpertError(f"{path} holds no examples.", fix=f"write one JSON object a line, with {FORMS}")
    return found


def _read_file(path: Path, instruction: str) -> list[Line]:
    found = []
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")  # not splitlines: JSON texts may hold U+2028
    except UnicodeDecodeError as error:
        raise HubExpertError(f"{path} is not UTF-8 text.", fix=f"save {path} as UTF-8") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=lambda _: None)  # NaN: what is missing is no text `nan`
        except (ValueError, RecursionError) as error:  # no JSON, a number too long, nested too deep
            at = f": at character {error.colno}, {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
            raise HubExpertError(
                f"{path}:{number} is not a JSON object{at}.", fix="write one JSON object a line (JSONL)"
            ) from error
        found.append(Line(path, number, line, _example(row, instruction, f"{path}:{number}")))
    return found


def _example(row: Any, instruction: str, where: str) -> Example:
    """The example in one row of any of the three forms."""
    if not isinstance(row, dict):
        raise HubExpertError(f"{where} is not a JSON object.", fix=f"give each line {FORMS}")
    if "messages" in row:
        row = _from_messages(row, where)
    instruction = _text(row, ("instruction",), where) or instruction
    given = _text(row, ("input", "prompt"), where)
    if not given and row.get("instruction"):  # a row whose instruction says it all
        instruction, given = "", instruction
    output = _text(row, ("output", "target", "completion"), where)
    if not given:
        raise HubExpertError(f"{where} has no input.", fix=f"give each line {FORMS}")
    if not output:
        raise HubExpertError(f"{where} has no output.", fix="label every example: an `output` that is a text")
    choices = row.get("choices") or ()
    if not isinstance(choices, (list, tuple)) or not all(isinstance(choice, str) for choice in choices):
        raise HubExpertError(f"{where}: `choices` is not a list of texts.", fix='write choices as ["a", "b"]')
    if choices and not names_choice(output, choices):
        raise HubExpertError(f"{where}: the output is none of its choices.", fix="correct `output` or `choices`")
    rationale = _text(row, ("rationale",), where)
    if HALF.search("".join((instruction, given, output, rationale, *choices))):
        raise HubExpertError(f"{where} holds half of a surrogate pair, which is no text.", fix=WHOLE)
    return Example(
        instruction=instruction, input=given, output=output, rationale=rationale or None, choices=tuple(choices)
    )


def _text(row: dict[str, Any], keys: Sequence[str], where: str) -> str:
    """The first of the keys that the row has, as stripped text; numbers are written out, nothing is empty."""
    value = next((row[key] for key in keys if row.get(key) is not None), "")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise HubExpertError(f"{where}: `{keys[0]}` is no text.", fix=f"give each line {FORMS}")
    return value.strip()


def _from_messages(row: dict[str, Any], where: str) -> dict[str, Any]:
    """A chat as input and output: the last message is the assistant's, all before it is the input."""
    messages = row["messages"]
    try:
        turns = [(message["role"], message["content"]) for message in messages]
    except (TypeError, KeyError):
        turns = []
    if not all(isinstance(text, str) for _, text in turns):
        raise HubExpertError(f"{where}: a message's `content` is no text.", fix="write each `content` as one text")
    if len(turns) < 2 or turns[-1][0] != "assistant":
        raise HubExpertError(
            f"{where}: `messages` does not end with an assistant's answer.", fix="end each chat with it"
        )
    system = "\n".join(text for role, text in turns if role == "system")
    asked = "\n".join(text for role, text in turns[:-1] if role != "system")
    return {**row, "instruction": row.get("instruction") or system, "input": asked, "output": turns[-1][1]}


def digest(examples: Sequence[Example]) -> str:
    """The SHA-256 of the examples as read: equal examples in equal order give equal digests."""
    return fingerprint(list(examples))


def without_leaks(shots: Sequence[Example], test: Sequence[Example]) -> tuple[tuple[Example, ...], int]:
    """The test examples whose input does not stand among the shots, and how many were removed.

    Inputs are compared after lower-casing and collapsing white space.
    """
    seen = {_normal(shot.input) for shot in shots}
    kept = tuple(example for example in test if _normal(example.input) not in seen)
    return kept, len(test) - len(kept)


def _normal(text: str) -> str:
    return " ".join(text.lower().split())
