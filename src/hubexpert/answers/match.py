"""Whether an answer is the gold output (Open Knowledge, eq. 5), post-processed by what the gold output is."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from hubexpert.answers.choices import NONE, TRUTHS, named
from hubexpert.answers.lead import after_lead
from hubexpert.answers.normal import UNFINISHED, finished, may_become, normal, plain, stable
from hubexpert.answers.numbers import is_number, lone_number
from hubexpert.answers.structures import end_of, is_structure, parsed, start_of
from hubexpert.records import ANSWER, Example

Match = Callable[[str, Example, bool], bool | None]


def matches(answer: str, example: Example) -> bool:
    """Whether what counts of the answer is the gold output."""
    part, _ = part_that_counts(answer, example)
    return bool(_match(example)(part, example, True))


def settled(partial: str, example: Example) -> bool:
    """Whether every continuation of the partial answer matches, or none does; False where that is not certain."""
    if example.reasoned and ANSWER not in partial:
        return False
    part, ended = part_that_counts(partial.rstrip(UNFINISHED), example)
    return ended or _match(example)(part, example, False) is not None


def part_that_counts(answer: str, example: Example) -> tuple[str, bool]:
    """The part of the answer that counts, and whether it has ended: no continuation changes it.

    Where the gold output is JSON the first JSON counts; where it is one line, or there is no JSON, the first line that
    is not blank, for what follows explains it; else all. Where answers are `reasoned`, so it is of what stands behind
    the rationale, if that came to an end.
    """
    _, mark, after = answer.partition(ANSWER)
    if example.reasoned and mark:
        answer = after
    line = next((line for line in answer.splitlines(keepends=True) if line.strip()), "")
    ended = [line] != line.splitlines() != []
    if _has_structure(example):
        start = start_of(answer)
        if start is None:
            return line.strip(), False
        if start >= 0:
            end, _ = end_of(answer[start:])
            return answer[start:] if end is None else answer[start : start + end], end is not None
    elif len(example.output.strip().splitlines()) > 1:
        return answer.strip(), False
    return line.strip(), ended


def _has_choices(example: Example) -> bool:
    return bool(example.choices) and named(example.output, example.choices) != {NONE}


def _has_truth(example: Example) -> bool:
    return normal(example.output) in TRUTHS


def _has_structure(example: Example) -> bool:
    return not _has_choices(example) and parsed(example.output) is not None


def _has_number(example: Example) -> bool:
    return lone_number(plain(example.output)) is not None


def _is_choice(part: str, example: Example, whole: bool) -> bool | None:
    return _is_named(part, example.output, example.choices, whole)


def _is_truth(part: str, example: Example, whole: bool) -> bool | None:
    return _is_named(part, example.output, ("yes", "no"), whole)


def _is_named(part: str, output: str, choices: Sequence[str], whole: bool) -> bool | None:
    (gold,) = named(output, choices)
    right = {name == gold for name in named(part if whole else stable(part), choices, whole=whole)}
    return right.pop() if len(right) == 1 else None


def _is_structure(part: str, example: Example, whole: bool) -> bool | None:
    return is_structure(part, parsed(example.output), whole=whole)


def _is_number(part: str, example: Example, whole: bool) -> bool | None:
    gold = lone_number(plain(example.output)) or Decimal(0)
    return _with_lead(part, lambda text: is_number(text, gold, whole=whole), whole)


def _is_text(part: str, example: Example, whole: bool) -> bool | None:
    gold = normal(example.output)

    def judge(text: str) -> bool | None:
        return finished(text) == gold if whole else None if may_become(text, gold) else False

    return _with_lead(part, judge, whole)


def _with_lead(part: str, judge: Callable[[str], bool | None], whole: bool) -> bool | None:
    """What `judge` says of the text or, where that is no, of what follows its lead."""
    text = plain(part if whole else stable(part), whole=whole)
    rest = after_lead(text, whole=whole)
    found = {judge(text), None if rest is None else bool(rest) and judge(rest)}
    return True if True in found else None if None in found else False


KINDS: tuple[tuple[Callable[[Example], bool], Match], ...] = (
    (_has_choices, _is_choice),
    (_has_truth, _is_truth),
    (_has_structure, _is_structure),
    (_has_number, _is_number),
)


def _match(example: Example) -> Match:
    return next((match for applies, match in KINDS if applies(example)), _is_text)
