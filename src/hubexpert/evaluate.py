"""The comparison on held-out examples: the same rows for every system, paired intervals, a verdict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from hubexpert import lm
from hubexpert.examine import answer_length, examine
from hubexpert.latency import latency
from hubexpert.lm import Lm, precision
from hubexpert.measure import measure
from hubexpert.moe.contributions import contributions
from hubexpert.progress import track
from hubexpert.reading.batches import kind_of_device
from hubexpert.records import Contributions, Cost, Difference, Example, Measured, Protocol, Report, SystemScore
from hubexpert.significance import holm, p_value
from hubexpert.statistics import bootstrap, paired
from hubexpert.systems import ROUTED, Contest, Form, System, systems
from hubexpert.systems.mixtures import routed
from hubexpert.verdict import judge
from hubexpert.workspace import METHOD, Journal, fingerprint

PER_CALL = 64


def compare(model: Lm, contest: Contest, journal: Journal, *, removed: int) -> Report:
    """Measure every system on the held-out examples, tell the experts apart, and judge the mixture.

    Each finished system is journalled and not measured again.

    Args:
        model: the base, loaded; as it was when this returns.
        contest: what is compared.
        journal: where finished systems lie.
        removed: how many held-out examples were removed as leaks, for the report.
    """
    notes = {system.name: system.note for system in systems(model, contest)}
    results = measure_all(model, contest, journal)
    shots, seed = contest.lesson.questions, contest.lesson.seed
    found = report(results, notes, shots, contest.test, contest.metric, seed=seed, removed=removed)
    longest = answer_length(model.tokenizer, contest.lesson.shots)
    return found.model_copy(update={"contributions": contributed(model, contest, journal), "longest": longest})


def measure_all(model: Lm, contest: Contest, journal: Journal) -> dict[str, Measured]:
    """What every system does on the held-out examples, in the order of the report."""
    return {system.name: measured(model, contest, system, journal) for system in systems(model, contest)}


def contributed(model: Lm, contest: Contest, journal: Journal) -> Contributions | None:
    """What each expert contributes on the first of the held-out examples; None where the recipe asks for none."""
    rows = contest.test[: contest.section.contributions]
    if not rows:
        return None
    kind = precision(kind_of_device(model.device), None)
    with routed(model, contest).open() as form:
        return contributions(
            form.model,
            contest.experts,
            rows,
            contest.metric,
            max_new_tokens=answer_length(model.tokenizer, contest.lesson.shots),
            journal=journal,
            key_parts={"base": contest.base, "precision": kind, "files": contest.build.files},
            seed=contest.lesson.seed,
            quiet=contest.lesson.quiet,
        )


def measured(model: Lm, contest: Contest, system: System, journal: Journal) -> Measured:
    """What the system does on the held-out examples, and what it costs; once measured, read from the journal."""
    longest = answer_length(model.tokenizer, contest.lesson.shots)
    common = {"method": METHOD, "base": contest.base, "test": list(contest.test), "metric": contest.metric}
    key = fingerprint({"system": system.name, "longest": longest, **common, **system.depends})
    done = journal.read()
    if key not in done:
        with system.open() as form:
            values = form.values or answered(
                form.model,
                contest.test,
                contest.metric,
                longest=longest,
                shots=form.shots,
                label=f"evaluating {system.name}",
                quiet=contest.lesson.quiet,
            )
            found = Measured(values=values, cost=_cost(form, contest), tuning=form.tuning)
        journal.append(key, found)
        return found
    return Measured.model_validate(done[key])


def answered(
    model: Lm,
    test: Sequence[Example],
    metric: str,
    *,
    longest: int,
    shots: Sequence[Example] = (),
    label: str,
    quiet: bool,
) -> tuple[float, ...]:
    """The metric's value of each example.

    Args:
        model: answers them.
        test: the examples.
        metric: judges the answers.
        longest: tokens that an answer may have.
        shots: stand before every example in the prompt.
        label: of the progress.
        quiet: no progress.
    """
    values: list[float] = []
    # shots that all prompts begin with are read once a call
    per_call = len(test) if shots else PER_CALL
    for start in track(range(0, len(test), per_call), label, quiet=quiet):
        some = test[start : start + per_call]
        values += examine(model, some, metric, max_new_tokens=longest, shots=shots)[0].values
    return tuple(values)


def _cost(form: Form, contest: Contest) -> Cost | None:
    """What is stored, and the time; that of a longer prompt is not measured, as servers keep what prompts share."""
    if form.values is not None:
        return None
    prompts = [lm.encode(form.model.tokenizer, example, "").prompt for example in contest.test]
    ratio = latency(form.model, form.without, prompts) if form.parameters else None if form.shots else 1.0
    return Cost(parameters=form.parameters, rank=form.rank, latency=ratio)


def chance(shots: Sequence[Example], test: Sequence[Example], metric: str) -> float:
    """What needs no skill scores: the shots' commonest output every time, or a guess among choices, if better."""
    commonest = Counter(shot.output for shot in shots).most_common(1)[0][0]
    constant = fmean(measure(metric, [commonest] * len(test), test))
    guessed = fmean(1 / len(e.choices) if e.choices else 0.0 for e in test)
    return max(constant, guessed)


def report(
    results: Mapping[str, Measured],
    notes: Mapping[str, str],
    shots: Sequence[Example],
    test: Sequence[Example],
    metric: str,
    *,
    seed: int,
    removed: int = 0,
    protocol: Protocol = "held-out",
) -> Report:
    """The scores with their intervals, routed minus each of the others, and the verdict.

    Args:
        results: what every system did on `test`.
        notes: what the report says of a system.
        shots: what was learned from.
        test: what was measured on.
        metric: the task's.
        seed: of the intervals.
        removed: how many held-out examples were removed as leaks.
        protocol: what kind of examples `test` are.
    """
    scores = []
    for name, found in results.items():
        low, high = bootstrap(found.values, seed=seed)
        value, n = fmean(found.values), len(found.values)
        told = {"note": notes.get(name, ""), "cost": found.cost, "tuning": found.tuning}
        scores.append(SystemScore(name=name, metric=metric, value=value, low=low, high=high, n=n, **told))
    against = differences(results, seed)
    verdict, sentence = judge(scores, against, protocol)
    return Report(
        systems=tuple(scores),
        differences=tuple(against),
        verdict=verdict,
        sentence=sentence,
        protocol=protocol,
        removed=removed,
        chance=chance(shots, test, metric),
    )


def differences(results: Mapping[str, Measured], seed: int) -> list[Difference]:
    """Routed minus each of the others, with intervals and p-values, corrected for their number (Holm)."""
    ours = results[ROUTED].values
    others = {name: found.values for name, found in results.items() if name != ROUTED}
    told = [p_value(ours, values, seed=seed) for values in others.values()]
    found = []
    for (name, values), p, adjusted in zip(others.items(), told, holm(told), strict=True):
        mean, low, high = paired(ours, values, seed=seed)
        found.append(Difference(first=ROUTED, second=name, value=mean, low=low, high=high, p=p, adjusted=adjusted))
    return found
