"""Measuring answers: with one of our metrics, or any `evaluate` metric by id or path."""

import difflib
from collections.abc import Sequence

from hubexpert.errors import HubExpertError, first_line
from hubexpert.metrics import OURS
from hubexpert.records import Example


def measure(metric: str, answers: Sequence[str], examples: Sequence[Example]) -> list[float]:
    """The metric's value of each answer; `metric` is one of ours, or an `evaluate` metric's id or path.

    Of an answer to an example whose gold output is one line, the first line counts: what follows explains it.

    Raises:
        HubExpertError: an `evaluate` metric cannot be loaded, or gives no number between 0 and 1.
    """
    cut = [a if "\n" in e.output else _first_line(a) for a, e in zip(answers, examples, strict=True)]
    if metric in OURS:
        return [OURS[metric](answer, example) for answer, example in zip(cut, examples, strict=True)]
    return _evaluate(metric, cut, examples)


def check_metric(metric: str) -> None:
    """See that the metric can be used, before anything is measured with it.

    Raises:
        HubExpertError: it is none of ours and `evaluate` cannot load it.
    """
    if metric in OURS:
        return
    close = difflib.get_close_matches(metric, OURS, n=1)
    if close:
        raise HubExpertError(f"There is no metric `{metric}`.", fix=f"did you mean `{close[0]}`? Change `task.metric`")
    _evaluate(metric, ["a"], [Example(input="a", output="a")])


def _evaluate(metric: str, answers: Sequence[str], examples: Sequence[Example]) -> list[float]:
    import evaluate

    fix = f"set `task.metric` to one of {', '.join(OURS)}, or to an `evaluate` metric on texts, better when higher"
    try:
        loaded = evaluate.load(metric)
        rows = [
            loaded.compute(predictions=[answer], references=[example.output])
            for answer, example in zip(answers, examples, strict=True)
        ]
        values = [float(next(iter(row.values()))) for row in rows]
    except (OSError, ValueError, TypeError, ImportError, AttributeError) as error:
        raise HubExpertError(f"The metric `{metric}` cannot be used: {first_line(error)}", fix=fix) from error
    if not all(0 <= value <= 1 for value in values):
        raise HubExpertError(f"The metric `{metric}` gives values outside 0 to 1.", fix=fix)
    return values


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
