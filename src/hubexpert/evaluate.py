"""The comparison on held-out examples: the same rows for every system, paired intervals, a verdict."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from hubexpert.build import FRESH_RANK, fresh_lora
from hubexpert.examine import answer_length, examine
from hubexpert.experts.load import adapter_factors
from hubexpert.lm import Lm
from hubexpert.measure import measure
from hubexpert.moe.adapter import load, static
from hubexpert.progress import track
from hubexpert.recipe import TrainSection
from hubexpert.records import Build, Difference, Example, Report, Source, SystemScore
from hubexpert.slots import applied
from hubexpert.statistics import bootstrap, paired
from hubexpert.verdict import judge
from hubexpert.workspace import METHOD, Journal, fingerprint

PER_CALL = 64
ROUTED = "routed"


@dataclass(frozen=True)
class Contest:
    """What is compared, and on what: the mixture in `folder`, the best single adapter, the shots, the held-out rows."""

    base: Source
    build: Build
    folder: Path
    best: Source
    shots: tuple[Example, ...]
    test: tuple[Example, ...]
    metric: str
    section: TrainSection
    seed: int


def compare(
    model: Lm, contest: Contest, journal: Journal, checkpoints: Path, *, removed: int, quiet: bool = False
) -> Report:
    """Measure every system on the held-out examples and judge the mixture.

    Systems: `base`; `best-single`, the adapter with the best place by K-shot, as published; `static` and `routed`, the
    two forms of the mixture; `fresh-lora`, a new LoRA with the shared expert's rank (16 without one) on the same
    modules, trained on the same examples with the same settings. Each finished system is journalled and not measured
    again.

    Args:
        model: the base, loaded; as it was when this returns.
        contest: what is compared.
        journal: where finished systems lie.
        checkpoints: a folder for the fresh LoRA's training.
        removed: how many held-out examples were removed as leaks, for the report.
        quiet: no progress.
    """
    longest = answer_length(model.tokenizer, contest.shots)
    done = journal.read()
    results: dict[str, list[float]] = {}
    for name, opened in _systems(model, contest, checkpoints, quiet).items():
        key = fingerprint({"system": name, "longest": longest, **_depends(contest, name)})
        if key not in done:
            with opened() as form:
                done[key] = _answer(form, contest, longest, f"evaluating {name}", quiet)
            journal.append(key, done[key])
        results[name] = list(done[key])
    return _report(results, contest, removed)


def _depends(contest: Contest, name: str) -> dict[str, object]:
    """What one system's answers depend on."""
    parts: dict[str, object] = {
        "method": METHOD,
        "base": contest.base,
        "test": list(contest.test),
        "metric": contest.metric,
    }
    if name == "best-single":
        parts["adapter"] = contest.best
    elif name in ("static", ROUTED):
        parts["files"] = contest.build.files
    elif name == "fresh-lora":
        parts |= {"shots": list(contest.shots), "section": contest.section, "seed": contest.seed}
        parts["modules"] = list(contest.build.shares)
    return parts


def _systems(
    model: Lm, contest: Contest, checkpoints: Path, quiet: bool
) -> Mapping[str, Callable[[], AbstractContextManager[Lm]]]:
    """Name -> opens the system on the base; closing it leaves the base as it was."""

    @contextmanager
    def base() -> Iterator[Lm]:
        yield model

    @contextmanager
    def single() -> Iterator[Lm]:
        with applied(model.model, adapter_factors(contest.best, lambda: model.model)):
            yield model

    @contextmanager
    def routed() -> Iterator[Lm]:
        mixture = load(contest.folder, base=model.model)
        try:
            yield Lm(mixture, model.tokenizer)
        finally:
            mixture.unload()

    @contextmanager
    def merged() -> Iterator[Lm]:
        with routed() as form, static(form.model):
            yield form

    @contextmanager
    def fresh() -> Iterator[Lm]:
        modules = tuple(contest.build.shares)
        lora = fresh_lora(model, modules, contest.shots, contest.section, checkpoints, seed=contest.seed, quiet=quiet)
        try:
            yield Lm(lora, model.tokenizer)
        finally:
            lora.unload()

    return {"base": base, "best-single": single, "static": merged, ROUTED: routed, "fresh-lora": fresh}


def _answer(form: Lm, contest: Contest, longest: int, label: str, quiet: bool) -> list[float]:
    """The metric's value of each held-out example."""
    values: list[float] = []
    starts = range(0, len(contest.test), PER_CALL)
    for start in track(starts, label, quiet=quiet):
        some = contest.test[start : start + PER_CALL]
        values += examine(form, some, contest.metric, max_new_tokens=longest)[0].values
    return values


def chance(contest: Contest) -> float:
    """What needs no skill scores: the shots' commonest output every time, or a guess among choices, if better."""
    commonest = Counter(shot.output for shot in contest.shots).most_common(1)[0][0]
    constant = fmean(measure(contest.metric, [commonest] * len(contest.test), contest.test))
    guessed = fmean(1 / len(e.choices) if e.choices else 0.0 for e in contest.test)
    return max(constant, guessed)


def _report(results: Mapping[str, Sequence[float]], contest: Contest, removed: int) -> Report:
    notes = {
        "best-single": contest.best.repo,
        "fresh-lora": f"rank {contest.section.shared_rank or FRESH_RANK}, the mixture's learning rate and epochs",
    }
    systems = []
    for name, values in results.items():
        low, high = bootstrap(values, seed=contest.seed)
        systems.append(
            SystemScore(
                name=name,
                metric=contest.metric,
                value=fmean(values),
                low=low,
                high=high,
                n=len(values),
                note=notes.get(name, ""),
            )
        )
    differences = []
    for name, values in results.items():
        if name != ROUTED:
            mean, low, high = paired(results[ROUTED], values, seed=contest.seed)
            differences.append(Difference(first=ROUTED, second=name, value=mean, low=low, high=high))
    verdict, sentence = judge(systems, differences)
    return Report(
        systems=tuple(systems),
        differences=tuple(differences),
        verdict=verdict,
        sentence=sentence,
        removed=removed,
        chance=chance(contest),
    )
