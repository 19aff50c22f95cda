"""The comparison on held-out examples: the same rows for every system, paired intervals, a verdict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from hubexpert import lm
from hubexpert.examine import answer_length, examine
from hubexpert.latency import latency
from hubexpert.lm import Lm
from hubexpert.measure import measure
from hubexpert.progress import track
from hubexpert.records import Cost, Difference, Measured, Report, SystemScore
from hubexpert.statistics import bootstrap, paired
from hubexpert.systems import ROUTED, Contest, Form, System, systems
from hubexpert.verdict import judge
from hubexpert.workspace import METHOD, Journal, fingerprint

PER_CALL = 64


def compare(model: Lm, contest: Contest, journal: Journal, *, removed: int) -> Report:
    """Measure every system on the held-out examples and judge the mixture.

    Each finished system is journalled and not measured again.

    Args:
        model: the base, loaded; as it was when this returns.
        contest: what is compared.
        journal: where finished systems lie.
        removed: how many held-out examples were removed as leaks, for the report.
    """
    compared = systems(model, contest)
    return report(compared, {s.name: measured(model, contest, s, journal) for s in compared}, contest, removed=removed)


def measured(model: Lm, contest: Contest, system: System, journal: Journal) -> Measured:
    """What the system does on the held-out examples, and what it costs; once measured, read from the journal."""
    longest = answer_length(model.tokenizer, contest.lesson.shots)
    common = {"method": METHOD, "base": contest.base, "test": list(contest.test), "metric": contest.metric}
    key = fingerprint({"system": system.name, "longest": longest, **common, **system.depends})
    done = journal.read()
    if key not in done:
        with system.open() as form:
            values = _answer(form.model, contest, longest, f"evaluating {system.name}")
            found = Measured(values=tuple(values), cost=_cost(form, contest), tuning=form.tuning)
        journal.append(key, found)
        return found
    return Measured.model_validate(done[key])


def _answer(model: Lm, contest: Contest, longest: int, label: str) -> list[float]:
    """The metric's value of each held-out example."""
    values: list[float] = []
    for start in track(range(0, len(contest.test), PER_CALL), label, quiet=contest.lesson.quiet):
        some = contest.test[start : start + PER_CALL]
        values += examine(model, some, contest.metric, max_new_tokens=longest)[0].values
    return values


def _cost(form: Form, contest: Contest) -> Cost:
    prompts = [lm.encode(form.model.tokenizer, example, "").prompt for example in contest.test]
    ratio = latency(form.model, form.without, prompts, prompts) if form.parameters else 1.0
    return Cost(parameters=form.parameters, rank=form.rank, latency=ratio)


def chance(contest: Contest) -> float:
    """What needs no skill scores: the shots' commonest output every time, or a guess among choices, if better."""
    commonest = Counter(shot.output for shot in contest.lesson.shots).most_common(1)[0][0]
    constant = fmean(measure(contest.metric, [commonest] * len(contest.test), contest.test))
    guessed = fmean(1 / len(e.choices) if e.choices else 0.0 for e in contest.test)
    return max(constant, guessed)


def report(compared: Sequence[System], results: Mapping[str, Measured], contest: Contest, *, removed: int) -> Report:
    """The scores with their intervals, routed minus each of the others, and the verdict."""
    seed, scores, differences = contest.lesson.seed, [], []
    for system in compared:
        found = results[system.name]
        low, high = bootstrap(found.values, seed=seed)
        scores.append(
            SystemScore(
                name=system.name,
                metric=contest.metric,
                value=fmean(found.values),
                low=low,
                high=high,
                n=len(found.values),
                note=system.note,
                cost=found.cost,
                tuning=found.tuning,
            )
        )
    verdict, sentence = judge(scores, differences)
    return Report(
        systems=tuple(scores),
        differences=tuple(differences),
        verdict=verdict,
        sentence=sentence,
        removed=removed,
        chance=chance(contest),
    )
