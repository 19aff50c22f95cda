"""A raw row as a `Row`: its columns as texts, and the example that the map of its columns makes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hubexpert.discover.data.mapping import example_of, named
from hubexpert.discover.data.verdict import named_columns
from hubexpert.hub.streaming import LEARNT
from hubexpert.records import ColumnMap, Example, Row, Source

Classes = Mapping[str, Sequence[str]]
Raw = tuple[int, dict[str, Any], Sequence[str]]  # number in the split, columns, those of them that were cut


def rows_of(
    source: Source, config: str, split: str, raw: Iterable[Raw], mapping: ColumnMap | None, classes: Classes
) -> Iterator[Row]:
    """The rows, each with its example, if it makes one.

    A column that was cut makes none: half an answer is a wrong one.

    Args:
        source: the dataset.
        config: the configuration they are of.
        split: its split.
        raw: as they were read.
        mapping: which columns make an example; None: no row does.
        classes: column -> the names of its classes.
    """
    for number, columns, harmed in raw:
        example = None
        if mapping and not _needs(mapping, harmed):
            example = _bounded(example_of(columns, mapping, classes))
        values = texts_of(columns, classes)
        yield Row(source=source, config=config, split=split, row=number, values=values, example=example)


def _needs(mapping: ColumnMap, columns: Sequence[str]) -> bool:
    """Whether the map names one of these columns, or one within it."""
    return any(path == column or path.startswith(f"{column}.") for path in named_columns(mapping) for column in columns)


def _bounded(example: Example | None) -> Example | None:
    """The example, unless a field of several columns is longer than a text may be."""
    if example is None:
        return None
    fields = (example.instruction, example.input, example.output, example.rationale or "")
    return example if max(map(len, fields)) <= LEARNT.text else None


def texts_of(row: Mapping[str, Any], classes: Classes) -> dict[str, str]:
    """Column by its path with dots -> its text, those without left out.

    A label becomes its class's name; of a list the texts stand one a line, whatever it holds.
    """
    found: dict[str, list[str]] = {}
    for path, text in _leaves("", row, classes):
        found.setdefault(path, []).append(text)
    return {path: "\n".join(texts) for path, texts in found.items()}


def _leaves(path: str, value: Any, classes: Classes) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _leaves(f"{path}.{key}" if path else key, held, classes)
    elif isinstance(value, list):
        for held in value:
            yield from _leaves(path, held, classes)
    elif text := named(value, classes.get(path, ())):
        yield path, text
