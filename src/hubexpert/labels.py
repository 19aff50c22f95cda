"""Labels: outputs that repeat."""

from collections.abc import Mapping, Sequence

from hubexpert.answers.normal import normal
from hubexpert.shots import Line

REPEATED = 2  # examples an output, on average: with fewer, outputs are texts of their own


def by_output(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """The examples of each output in normal form, the commonest output first, of equals the one that stands first."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(normal(line.example.output), []).append(line)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))


def labels(lines: Sequence[Line]) -> Mapping[str, Sequence[Line]]:
    """The same where outputs repeat, with 2 examples each on average; empty where they are texts of their own."""
    groups = by_output(lines)
    return groups if len(lines) >= REPEATED * len(groups) else {}
