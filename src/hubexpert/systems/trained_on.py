"""The mixture trained on other data."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from hubexpert.lm import Lm
from hubexpert.records import TrainingExample
from hubexpert.systems.form import Contest, Form, System, factors_of, learned
from hubexpert.trained import mixture_start


def trained_on(model: Lm, contest: Contest, name: str, examples: tuple[TrainingExample, ...]) -> System:
    """The mixture of the contest's experts, routed, trained on these examples.

    It is trained with the learning rate and the epochs that were chosen for the contest's mixture.
    """
    lesson, tuning = replace(contest.lesson, examples=examples), contest.build.tuning

    @contextmanager
    def opened() -> Iterator[Form]:
        start = mixture_start(model, [factors_of(model, source) for source in contest.experts], lesson)
        with learned(model, start, lesson, f"the mixture on {name}", ["trained on", name], tuning=tuning) as form:
            yield form

    facts = {"section": lesson.section, "seed": lesson.seed, "experts": list(contest.experts), "tuning": tuning}
    return System(f"trained on {name}", opened, {**facts, "examples": list(examples)})
