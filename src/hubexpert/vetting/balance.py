"""Labels of which there are too many examples, or too few."""

from collections.abc import Iterator, Mapping, Sequence

from hubexpert.labels import labels
from hubexpert.shots import Line
from hubexpert.vetting.finding import Finding, counted, finding, listed, quoted

LARGE, TIMES = 0.5, 1.5  # a majority above both, half of all and 1.5 times an even share, is told


def balance(lines: Sequence[Line]) -> Iterator[Finding]:
    """What speaks against the labels' shares."""
    groups = labels(lines)
    if not groups:
        return
    commonest, *_ = groups.values()
    share = len(commonest) / len(lines)
    if len(groups) == 1:
        told = f"All {len(lines)} outputs are {quoted(commonest[0].example.output)}."
        yield finding("label-majority", commonest, told, fix="add examples with other outputs: this one needs no model")
    elif share > max(LARGE, TIMES / len(groups)):
        yield finding(
            "label-majority",
            commonest,
            f"{share:.0%} of the outputs are the same one: {_counts(groups)}.",
            fix="add examples of the other labels: answering nothing but the commonest would do well",
        )
    alone = [group[0] for group in groups.values() if len(group) == 1]
    if alone:
        yield finding(
            "label-alone",
            alone,
            f"{counted(len(alone), 'label')} of {len(groups)} {'has' if len(alone) == 1 else 'have'} one example only: "
            f"{listed([quoted(line.example.output) for line in alone])}.",
            fix="add a second example of each: cross-validation holds one out and has none left to learn from",
        )


def _counts(groups: Mapping[str, Sequence[Line]]) -> str:
    return listed([f"{quoted(group[0].example.output)} {len(group)}" for group in groups.values()])


def shares(lines: Sequence[Line]) -> str | None:
    """The labels' counts in a sentence; None where outputs do not repeat."""
    groups = labels(lines)
    if not groups:
        return None
    sizes = [len(group) for group in groups.values()]
    largest, smallest = max(sizes), min(sizes)
    each = f"{largest}" if largest == smallest else f"{smallest} to {largest}"
    return (
        f"{counted(len(groups), 'label')}, {each} examples each, the commonest has {largest / len(lines):.0%}: "
        f"{_counts(groups)}."
    )
