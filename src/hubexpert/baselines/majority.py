"""The baseline without a model: always the shots' commonest output."""

from collections import Counter
from collections.abc import Sequence

from hubexpert.measure import measure
from hubexpert.records import Example


def majority(shots: Sequence[Example], examples: Sequence[Example], metric: str) -> list[float] | None:
    """The metric's value of each example when the answer is always the shots' commonest output.

    Of equally common ones the first. None where no output occurs twice, as with free text: then none is common.
    """
    commonest, count = Counter(shot.output for shot in shots).most_common(1)[0]
    return None if count < 2 else measure(metric, [commonest] * len(examples), examples)
