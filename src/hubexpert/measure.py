"""Measuring answers: with one of our metrics, or any `evaluate` metric by id or path."""

import difflib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hubexpert.answers.choices import NONE, named
from hubexpert.answers.normal import normal
from hubexpert.errors import HubExpertError, first_line
from hubexpert.metrics import LIKELIHOOD, OURS, counted
from hubexpert.records import Example

__all__ = ["check_metric", "counted", "measure"]

PROBED = 16  # examples with which a metric of `evaluate` is tried
FIX = f"set `task.metric` to one of {', '.join(OURS)}, or to an `evaluate` metric on texts, better when higher"


def measure(metric: str, answers: Sequence[str], examples: Sequence[Example]) -> list[float]:
    """The metric's value of each answer; `metric` is one of ours, or an `evaluate` metric's id or path.

    Only the part of an answer that counts is measured (`metrics.counted`).

    Raises:
        HubExpertError: an `evaluate` metric cannot be loaded, or gives no number between 0 and 1.
    """
    if metric in OURS:
        return [OURS[metric](answer, example) for answer, example in zip(answers, examples, strict=True)]
    return _evaluate(metric, [counted(a, e) for a, e in zip(answers, examples, strict=True)], examples)


def check_metric(metric: str, examples: Sequence[Example]) -> None:
    """See that the metric can be used with the examples, before anything is measured with it.

    Raises:
        HubExpertError: it is none of ours and `evaluate` cannot load it, it does not fit the examples' outputs, or it
            chooses among choices and an example has none.
    """
    if metric == LIKELIHOOD:
        _check_choices(examples)
    is_path = "/" in metric or Path(metric).exists()
    close = difflib.get_close_matches(metric, OURS, n=1)
    if close and metric not in OURS and not is_path:
        raise HubExpertError(f"There is no metric `{metric}`.", fix=f"did you mean `{close[0]}`? Change `task.metric`")
    probes = examples if metric in OURS else examples[:PROBED]
    for index, value in enumerate(measure(metric, [example.output for example in probes], probes)):
        if value <= 0:
            raise HubExpertError(
                f"The metric `{metric}` gives 0 even to the gold output of example {index + 1}.", fix=FIX
            )


def _check_choices(examples: Sequence[Example]) -> None:
    for index, example in enumerate(examples):
        if len(example.choices) < 2:
            raise HubExpertError(
                f"The metric `{LIKELIHOOD}` needs choices, and example {index + 1} ({example.input[:40]!r}) has "
                f"{'one' if example.choices else 'none'}.",
                fix="give every example its `choices`, or set `task.metric: exact_match`",
            )


def _evaluate(metric: str, answers: Sequence[str], examples: Sequence[Example]) -> list[float]:
    """One value an example; the metric gets one answer and one gold output at a time."""
    loaded, values = _loaded(metric), []
    labels = sorted({normal(example.output) for example in examples})
    try:
        feature = loaded.features[0] if isinstance(loaded.features, list) else loaded.features
        for answer, example in zip(answers, examples, strict=True):
            row = loaded.compute(
                predictions=[_fitted(feature["predictions"], answer, example, labels)],
                references=[_fitted(feature["references"], example.output, example, labels)],
            )
            values.append(float(next(iter(row.values()))))
    except Exception as error:  # a stranger's code may raise anything
        raise HubExpertError(f"The metric `{metric}` cannot be used: {first_line(error)}", fix=FIX) from error
    if not all(0 <= value <= 1 for value in values):
        raise HubExpertError(f"The metric `{metric}` gives values outside 0 to 1.", fix=FIX)
    return values


@lru_cache(maxsize=1)
def _loaded(metric: str) -> Any:
    """The `evaluate` metric; its code runs in this process, so nothing but what the recipe names is ever loaded."""
    import evaluate

    try:
        return evaluate.load(metric, keep_in_memory=True)
    except FileNotFoundError as error:
        raise HubExpertError(
            f"The metric `{metric}` is no script here, and not on the Hub (or the Hub cannot be reached).", fix=FIX
        ) from error
    except Exception as error:  # a stranger's code may raise anything
        raise HubExpertError(f"The metric `{metric}` cannot be loaded: {first_line(error)}", fix=FIX) from error


def _fitted(feature: Any, text: str, example: Example, labels: Sequence[str]) -> Any:
    """The text as the metric wants it: itself, a list of one, or the number of the label it names (-1: of none)."""
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    if inner is not None:
        return [_fitted(inner, text, example, labels)]
    dtype = str(getattr(feature, "dtype", ""))
    if dtype == "string":
        return text
    if not dtype.startswith("int"):
        raise TypeError(f"it wants {feature} and no text")
    names = [normal(choice) for choice in example.choices] or labels
    (name,) = named(text, example.choices) if example.choices else {normal(text)}
    return names.index(name) if name != NONE and name in names else -1
