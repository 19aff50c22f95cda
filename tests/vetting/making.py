"""Examples as lines of a file."""

import json
from pathlib import Path

from hubexpert.records import Example
from hubexpert.shots import Line


def lines(*pairs: tuple[str, str], file: str = "shots.jsonl") -> list[Line]:
    return [
        Line(Path(file), number, json.dumps({"input": given, "output": output}), Example(input=given, output=output))
        for number, (given, output) in enumerate(pairs, start=1)
    ]
