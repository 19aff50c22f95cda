"""Scores of a pool of adapters on the shots: task metric of the greedy answer, and reasoning perplexity."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from hubexpert.errors import HubExpertError
from hubexpert.examine import Answers, answer_length, perplexity
from hubexpert.experts.adapted import Adaptation
from hubexpert.experts.engine import Engine, Work
from hubexpert.experts.halving import Rung, finalists, order, room, rungs, survivors
from hubexpert.experts.ledger import Ledger
from hubexpert.factors import NO_OP
from hubexpert.progress import track
from hubexpert.recipe import ExpertsSection
from hubexpert.records import Example, Refused, Score, ScoreTable, Source
from hubexpert.shots import Task
from hubexpert.statistics import bootstrap
from hubexpert.workspace import METHOD

SAME = 1e-5  # relative: what rounding may do to an NLL


@dataclass(frozen=True)
class Trial:
    """What the pool is scored on, and how: the base, the shots in the order they are used, the task's metric."""

    base: Source
    shots: tuple[Example, ...]
    metric: str
    max_new_tokens: int
    section: ExpertsSection
    seed: int


def trial(base: Source, task: Task, tokenizer: Any, section: ExpertsSection, seed: int) -> Trial:
    """The trial of a task. Halving has its own order of the shots; the seed shuffles it."""
    shots = task.shots
    if section.budget == "halving":
        shots = tuple(shots[index] for index in order(shots, seed))
    return Trial(base, shots, task.metric, answer_length(tokenizer, shots), section, seed)


def context(asked: Trial, engine: Engine) -> dict[str, object]:
    """What every measurement of the trial depends on, beside the adapter and the shot."""
    told = {"metric": asked.metric, "max_new_tokens": asked.max_new_tokens, "precision": engine.precision}
    return {"method": METHOD, "base": asked.base, **told}


def score_pool(
    engine: Engine, asked: Trial, pool: Sequence[Source], ledger: Ledger, *, quiet: bool = False
) -> ScoreTable:
    """Score the base and every adapter on the shots, or on as many as it is worth (`budget: halving`).

    What is finished is in the ledger and never measured twice; an adapter that cannot be used is refused with its
    reason, and the rest goes on.

    Args:
        engine: measures.
        asked: what is measured.
        pool: the adapters, the most promising first.
        ledger: what was measured already.
        quiet: no progress.

    Raises:
        HubExpertError: the Hub cannot be reached, the base gives no numbers, or no adapter is left.
    """
    _fill(engine, [_work((asked.base,), asked.shots, asked)], ledger, "scoring the base", quiet)
    if ledger.refused(asked.base):
        raise HubExpertError(
            f"{asked.base.repo} alone gives no numbers on the shots.", fix="name another base, or another `quantize`"
        )
    going, spent, reached = list(pool), 0, dict.fromkeys(pool, 0)
    plan = _plan(len(pool), asked)
    for step, rung in enumerate(plan):
        seen = asked.shots[: rung.shots]
        size = engine.lanes(seen)
        works = [_work(going[start : start + size], seen, asked) for start in range(0, len(going), size)]
        label = "scoring adapters" if len(plan) == 1 else f"scoring adapters, rung {step + 1} of {len(plan)}"
        _fill(engine, works, ledger, label, quiet)
        spent += len(going) * (rung.shots - (plan[step - 1].shots if step else 0))
        reached |= dict.fromkeys(going, rung.shots)
        going = [source for source in going if not ledger.refused(source)]
        if step + 1 < len(plan) and going:
            going = _survivors(going, plan, step + 1, spent, asked, ledger)
    if "adapted" in asked.section.rank:
        _adapt(engine, asked, going, ledger, quiet)
    return _table(asked, reached, ledger)


def _plan(adapters: int, asked: Trial) -> tuple[Rung, ...]:
    section, shots = asked.section, len(asked.shots)
    if section.budget == "full" or not adapters:
        return (Rung(shots=shots, survivors=adapters),)
    return rungs(adapters, shots, finalists(adapters, section.candidates, section.count))


def _survivors(
    going: Sequence[Source],
    plan: Sequence[Rung],
    step: int,
    spent: int,
    asked: Trial,
    ledger: Ledger,
) -> list[Source]:
    """Those that go on to the rung `step`, in their order."""
    seen = asked.shots[: plan[step - 1].shots]
    found = [_known(ledger, source, seen) for source in going]
    left = survivors(
        np.array([answers.values for answers in found]),
        np.array([answers.nlls for answers in found]),
        by=asked.section.rank,
        keep=plan[-1].survivors,
        most=room(plan, step, spent),
        shots=len(asked.shots),
    )
    return [going[index] for index in left]


def _work(sources: Sequence[Source], shots: Sequence[Example], asked: Trial) -> Work:
    return Work(tuple(sources), tuple(shots), asked.metric, asked.max_new_tokens)


def _fill(engine: Engine, works: Sequence[Work], ledger: Ledger, label: str, quiet: bool) -> None:
    """Measure what the ledger lacks of these works.

    A group is measured in the same batches whether the process was killed before or not, so the numbers are the same.
    """
    todo = []
    for work in works:
        missing = {source: ledger.missing(source, work.shots) for source in work.sources}
        wanted = [source for source, shots in missing.items() if shots]
        lacking = {shot for shots in missing.values() for shot in shots}
        if wanted:
            shots = tuple(shot for shot in work.shots if shot in lacking)
            todo.append(Work(tuple(wanted), shots, work.metric, work.max_new_tokens))
    for work, outcomes in track(engine.measure(todo), label, total=len(todo), quiet=quiet):
        ledger.keep(work.shots, outcomes)


def _adapt(engine: Engine, asked: Trial, going: Sequence[Source], ledger: Ledger, quiet: bool) -> None:
    """Measure adapted perplexity of those that went furthest, or of the best of them by the other ranks."""
    other = [rank for rank in asked.section.rank if rank != "adapted"]
    among = asked.section.adapted.among
    chosen = list(going)
    if among is not None and other and len(going) > among:
        found = [_known(ledger, source, asked.shots) for source in going]
        values, nlls = (np.array([getattr(a, name) for a in found]) for name in ("values", "nlls"))
        best = survivors(values, nlls, by=other, keep=among, most=among, shots=len(asked.shots))
        chosen = [going[index] for index in best]
    how = _how(asked)
    todo = [
        Work((source,), asked.shots, asked.metric, asked.max_new_tokens, Adaptation(**how), asked.seed)
        for source in chosen
        if ledger.adapted(source, asked.shots, (how, asked.seed)) is None
    ]
    for work, outcomes in track(engine.measure(todo), "adapting adapters", total=len(todo), quiet=quiet):
        ledger.keep(work.shots, outcomes, (how, asked.seed))


def _how(asked: Trial) -> dict[str, Any]:
    return asked.section.adapted.model_dump(exclude={"among"})


def _known(ledger: Ledger, source: Source, shots: Sequence[Example]) -> Answers:
    answers = ledger.answers(source, shots)
    if answers is None:
        raise AssertionError(f"{source.repo} was not measured")  # the engine gives an outcome for every adapter
    return answers


def _table(asked: Trial, reached: Mapping[Source, int], ledger: Ledger) -> ScoreTable:
    """What each adapter did on the shots it reached, by name; one that changes no number was not applied."""
    reference = _known(ledger, asked.base, asked.shots)
    scores, refused = [], []
    for source, n in sorted(reached.items(), key=lambda pair: pair[0].repo):
        refusal = ledger.refused(source)
        if refusal:
            refused.append(refusal)
            continue
        answers = _known(ledger, source, asked.shots[:n])
        if all(abs(a - b) <= SAME * abs(b) for a, b in zip(answers.nlls, reference.nlls[:n], strict=True)):
            refused.append(Refused(source=source, code=NO_OP, reason="the base answers exactly the same with it"))
        else:
            scores.append(_score(source, answers, asked, ledger))
    if not scores:
        raise HubExpertError(
            f"None of {len(reached)} adapters could be scored for {asked.base.repo}.",
            fix="widen `discover` in the recipe, or name adapters in `discover.include`; the reasons: "
            + "; ".join(sorted({f"{r.code} ({r.reason})" for r in refused}))[:300],
        )
    base = _score(asked.base, reference, asked, ledger)
    return ScoreTable(metric=asked.metric, base=base, scores=tuple(scores), refused=tuple(refused))


def _score(source: Source, answers: Answers, asked: Trial, ledger: Ledger) -> Score:
    low, high = bootstrap(answers.values, seed=asked.seed)
    n = len(answers.values)
    after = ledger.adapted(source, asked.shots, (_how(asked), asked.seed)) if "adapted" in asked.section.rank else None
    adapted = perplexity(after.nlls) if after else math.nan
    return Score(
        source=source,
        exact_match=fmean(answers.values),
        perplexity=answers.perplexity,
        n=n,
        low=low,
        high=high,
        rationales=sum(shot.rationale is not None for shot in asked.shots[:n]),
        conversion_error=ledger.conversion_error(source),
        adapted=adapted if math.isfinite(adapted) else None,
    )
