"""Inputs and outputs that are far longer or shorter than the others of their file."""

from collections.abc import Iterator, Sequence
from statistics import median

from hubexpert.labels import labels
from hubexpert.shots import Line
from hubexpert.vetting.finding import Finding, counted, finding, listed, spot

FEWEST = 5  # examples: of fewer the median says little
TIMES = 3.0  # an outlier is so many times as long as the median, or as short
DEVIATIONS = 5.0  # and so many deviations away from it
NORMAL = 1.4826  # median absolute deviations in a standard deviation, where lengths are normal


def outlying(lengths: Sequence[int]) -> list[int]:
    """The places of the lengths that are far from the others: 3 times the median or a third, and 5 deviations away.

    A deviation is the median absolute one, made comparable with a standard deviation: outliers do not move it.
    """
    middle = median(lengths)
    away = DEVIATIONS * NORMAL * median(abs(length - middle) for length in lengths)
    return [
        index
        for index, length in enumerate(lengths)
        if abs(length - middle) > away and (length > TIMES * middle or TIMES * length < middle)
    ]


def lengths(lines: Sequence[Line]) -> Iterator[Finding]:
    """What is told of the lengths of inputs, and of outputs that are no labels."""
    if len(lines) < FEWEST:
        return
    yield from _outliers("input", lines, [len(line.example.input) for line in lines])
    if not labels(lines):
        yield from _outliers("output", lines, [len(line.example.output) for line in lines])


def _outliers(what: str, lines: Sequence[Line], sizes: Sequence[int]) -> Iterator[Finding]:
    found = outlying(sizes)
    if not found:
        return
    told = [lines[index] for index in found]
    pieces = listed([f"{spot(lines[index], told)} ({counted(sizes[index], 'character')})" for index in found])
    yield finding(
        f"length-{what}",
        told,
        f"{counted(len(found), what)} {'is' if len(found) == 1 else 'are'} far longer or shorter than the others, "
        f"whose median is {counted(round(median(sizes)), 'character')}: {pieces}.",
        fix="see whether something is cut off, pasted twice or from another task",
    )
