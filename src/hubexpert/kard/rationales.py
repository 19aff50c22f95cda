"""Rationales that a teacher writes, given the gold output (KARD, 3.1)."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hubexpert.answers.normal import normal
from hubexpert.errors import HubExpertError
from hubexpert.filled import prompt
from hubexpert.kard.reading import read_rationale
from hubexpert.recipe import KardSection
from hubexpert.records import Distilled, Example, Reply, TeacherCounts
from hubexpert.teacher import Teacher, ask
from hubexpert.teacher.bounds import TRIAL, of_no_use, tell_cost
from hubexpert.teacher.mark import mark
from hubexpert.workspace import Journal

SHOWN = 4  # examples with a rationale of their own, in a question


def rationales(
    examples: Sequence[Example],
    teacher: Teacher | None,
    journal: Journal,
    section: KardSection,
    *,
    quiet: bool = False,
) -> Distilled:
    """Rationales of every example: its own where it has one, else several that the teacher writes.

    Sample s is asked for with the seed + s, and every reply is kept in the journal, so that another run asks only for
    what is lacking. A reply that is of no use is left out with its code.

    Args:
        examples: those that are learned from.
        teacher: who is asked; not needed where every example has its rationale.
        journal: where its replies lie.
        section: how many samples, and at which temperature.
        quiet: no progress, and nothing of what it costs, on stderr.

    Raises:
        HubExpertError: rationales are lacking and there is no teacher; it cannot be asked, leaves more than
            `most_failures` of the questions without a reply, or none of its first replies is of use.
    """
    lacking = [place for place, example in enumerate(examples) if not example.rationale]
    if lacking and teacher is None:
        raise HubExpertError(
            f"{len(lacking)} of {len(examples)} examples have no rationale, and there is no teacher to write one.",
            fix="name one under `data.teacher`, or give the examples a `rationale`",
        )
    found = [[each.rationale] if each.rationale else [] for each in examples]
    refused: Counter[str] = Counter()
    counts = TeacherCounts()
    if lacking and teacher is not None:
        shown = [each for each in examples if each.rationale][:SHOWN]
        asked = [examples[place] for place in lacking]
        samples, counts = _samples(asked, shown, teacher, journal, section, quiet=quiet)
        for place, told in zip(lacking, samples, strict=True):
            found[place], codes = _useful(told)
            refused.update(codes)
    return Distilled(
        rationales=tuple(map(tuple, found)),
        given=len(examples) - len(lacking),
        asked=section.samples * len(lacking),
        refused=dict(sorted(refused.items())),
        teacher=counts,
    )


def kard_prompt(example: Example, shown: Sequence[Example] = ()) -> tuple[str, str]:
    """The question to the teacher, and its mark, which hangs on all that stands in it and that no part can forge."""
    facts = {
        "instruction": example.instruction,
        "shots": [_shown(shot) for shot in shown],
        "input": example.input,
        "choices": example.choices,
        "answer": example.output,
    }
    made = mark(json.dumps(facts, sort_keys=True, ensure_ascii=False))
    return prompt("kard.jinja", {**facts, "mark": made}), made


def _shown(shot: Example) -> str:
    """An example with its rationale, as a JSON object on one line."""
    told = {"input": shot.input, "choices": shot.choices, "answer": shot.output, "rationale": shot.rationale}
    return json.dumps({key: value for key, value in told.items() if value}, ensure_ascii=False)


def _samples(
    examples: Sequence[Example],
    shown: Sequence[Example],
    teacher: Teacher,
    journal: Journal,
    section: KardSection,
    *,
    quiet: bool,
) -> tuple[list[list[tuple[str, str]]], TeacherCounts]:
    """Of every example what each sample says, [examples][samples]: a rationale and no code, or the code alone."""
    settings = teacher.settings.model_copy(update={"temperature": section.temperature})
    teachers = [replace(teacher, settings=settings, seed=teacher.seed + s) for s in range(section.samples)]
    prompts = [kard_prompt(example, shown) for example in examples]
    questions = [text for text, _ in prompts]
    tell_cost("writing rationales", teachers, questions, journal, quiet=quiet)
    codes: list[str] = []
    useful = False

    def read(index: int, reply: Reply) -> tuple[str, str]:
        nonlocal useful
        text, code = read_rationale(reply, examples[index], mark=prompts[index][1])
        useful = useful or not code
        if code:
            codes.append(code)
            if not useful and len(codes) == TRIAL:
                raise of_no_use(codes, "a rationale", teacher)
        return text, code

    told: list[list[tuple[str, str]]] = [[] for _ in examples]
    counts = TeacherCounts()
    for each in teachers:
        answers, more = ask(each, questions, read, journal, quiet=quiet)
        counts += more
        for own, answer in zip(told, answers, strict=True):
            own.append(answer or ("", "no-reply"))
    return told, counts


def _useful(told: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The different rationales among the samples, the first of each; and the codes of the others."""
    kept: dict[str, str] = {}
    codes = []
    for text, code in told:
        form = normal(text)
        if code or form in kept:
            codes.append(code or "repeats")
        else:
            kept[form] = text
    return list(kept.values()), codes
