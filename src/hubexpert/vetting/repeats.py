"""Examples whose input stands twice: with the same output, or with another."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from hubexpert.answers.match import matches
from hubexpert.answers.normal import normal
from hubexpert.shots import Line
from hubexpert.vetting.finding import Finding, finding, listed, quoted

Asked = tuple[str, str, frozenset[str]]


def asked(line: Line) -> Asked:
    """What an example asks, in normal form: instruction, input and choices; signs within them count."""
    example = line.example
    return normal(example.instruction), normal(example.input), frozenset(map(normal, example.choices))


def repeats(lines: Sequence[Line]) -> Iterator[Finding]:
    """A finding for every question that stands in several examples."""
    groups: dict[Asked, list[Line]] = {}
    for line in lines:
        groups.setdefault(asked(line), []).append(line)
    for group in groups.values():
        if len(group) > 1:
            yield _repeat(group)


def _repeat(group: Sequence[Line]) -> Finding:
    first, examples = group[0].example, [line.example for line in group]
    outputs = {example.output: example for example in examples}
    if not all(matches(a.output, b) or matches(b.output, a) for a, b in combinations(outputs.values(), 2)):
        return finding(
            "contradiction",
            group,
            f"{len(group)} examples ask the same and have different outputs: {listed(list(map(quoted, outputs)))}.",
            fix="keep the one that is right, or say in the inputs what makes the difference",
        )
    exact = all((e.instruction, e.input, e.output) == (first.instruction, first.input, first.output) for e in examples)
    how = "are the same" if exact else "are the same but for case, white space or punctuation around it"
    return finding(
        "duplicate-exact" if exact else "duplicate-normal",
        group,
        f"{len(group)} examples {how}: {quoted(first.input)}.",
        fix="keep one of them: the others count it several times and teach nothing",
    )
