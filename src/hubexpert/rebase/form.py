"""What a task's examples look like, seen from its shots: which are shown, the labels, whether they reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from hubexpert.answers.choices import OPPOSITES, TRUTHS, opposite
from hubexpert.answers.normal import normal
from hubexpert.recipe import TaskSection
from hubexpert.records import Example

SHOWN = 4  # shots in a question
MOST_LABELS = 200  # more are no set that a teacher can choose from
LONGEST_LABEL = 80  # characters
OPTIONS = "\nOptions:\n"


@dataclass(frozen=True)
class Form:
    """The form of a task's examples.

    Attributes:
        instruction: of every example.
        shown: shots that the teacher sees.
        labels: the outputs that there are, where they form a set; else empty.
        choices: of every example, where all shots have the same.
        options: every example has choices of its own, which stand at the end of its input, under `Options:`.
        rationale: examples give reasons.
        inputs: the normal forms of the inputs of all shots.
    """

    instruction: str
    shown: tuple[Example, ...]
    labels: tuple[str, ...]
    choices: tuple[str, ...]
    options: bool
    rationale: bool
    inputs: frozenset[str]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of an example; reasons stand before the output that they lead to."""
        return ("input", "rationale", "output") if self.rationale else ("input", "output")


def form_of(shots: Sequence[Example], task: TaskSection) -> Form:
    """The form of the shots; where at least half of them have a rationale, examples have one."""
    instructions = {shot.instruction for shot in shots}
    told = [shot for shot in shots if shot.rationale]
    rationale = bool(told) and 2 * len(told) >= len(shots)
    same = len({shot.choices for shot in shots}) == 1
    return Form(
        instruction=instructions.pop() if len(instructions) == 1 else task.instruction,
        shown=_shown(told if rationale else shots),
        labels=labels_of(shots),
        choices=shots[0].choices if same else (),
        options=not same and all(shot.choices for shot in shots),
        rationale=rationale,
        inputs=frozenset(normal(shot.input) for shot in shots),
    )


def labels_of(shots: Sequence[Example]) -> tuple[str, ...]:
    """The labels, where outputs are labels: choices that all shots share; or a few short outputs that repeat.

    They repeat where there are at least twice as many shots as different outputs, or all are yes, no, true or false.
    Other tasks, and those of which the shots show each label once, have no known set.
    """
    if shots[0].choices:
        return shots[0].choices if len({shot.choices for shot in shots}) == 1 else ()
    outputs = {normal(shot.output): shot.output for shot in reversed(shots)}
    short = all(len(output) <= LONGEST_LABEL and "\n" not in output for output in outputs.values())
    if not short or len(outputs) > MOST_LABELS:
        return ()
    if outputs.keys() <= TRUTHS.keys():
        return tuple(sorted({*outputs.values(), *_opposites(outputs)}))
    return tuple(sorted(outputs.values())) if 2 * len(outputs) <= len(shots) else ()


def _opposites(outputs: dict[str, str]) -> list[str]:
    """Of a lone yes, no, true or false the other one, spelled alike."""
    return [opposite(text) for form, text in outputs.items() if OPPOSITES[form] not in outputs]


def _shown(shots: Sequence[Example]) -> tuple[Example, ...]:
    """A few of the shots: first those whose output has not been shown yet, in their order."""
    fresh: dict[str, Example] = {}
    for shot in shots:
        fresh.setdefault(shot.output, shot)
    first = list(fresh.values())
    return tuple([*first, *(shot for shot in shots if shot not in first)][:SHOWN])
