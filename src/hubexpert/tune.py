"""Learning rate and epochs chosen by cross-validation on the shots, in the same way for everything that is trained."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from statistics import fmean

from hubexpert.experts.adapted import folds
from hubexpert.lm import Encoded, Lm
from hubexpert.reading import read
from hubexpert.recipe import TrainSection
from hubexpert.records import Record, Tried, Tuning
from hubexpert.train import train
from hubexpert.workspace import METHOD, Journal, fingerprint

Opened = Callable[[], AbstractContextManager[Lm]]


class Fold(Record):
    """One training of the cross-validation: the shots in `part` are left out. The journal keeps it as `entry`."""

    entry: str
    learning_rate: float
    part: tuple[int, ...]
    label: str


def tune(
    opened: Opened,
    encoded: Sequence[Encoded],
    section: TrainSection,
    journal: Journal,
    key: object,
    *,
    groups: Sequence[Sequence[int]],
    seed: int,
    label: str,
    elsewhere: Callable[[Sequence[Fold]], None] | None = None,
    quiet: bool = False,
) -> Tuning:
    """The learning rate and the number of epochs under which the shots that were not trained on are likeliest.

    For every learning rate and every fold, train on the other folds over the whole schedule, and after each epoch ask
    how likely the fold's gold outputs are: 1 / perplexity, the geometric mean of the tokens' probabilities, which no
    single confident error can dominate. The mean over all shots decides; of equals the smaller rate, then fewer epochs.
    The same folds for every system and rate; the final training follows the same schedule as far as the chosen epoch.

    Args:
        opened: opens what is to be trained on the base, as it starts; closing it leaves the base as it was.
        encoded: the shots, and what else is learned from: it is never left out.
        section: the learning rates, folds and epochs.
        journal: where every finished fold is kept.
        key: what the result depends on besides the examples and the section.
        groups: the shots, as places among `encoded`: those of one question are left out together.
        seed: of the folds, and of training.
        label: what the progress calls it.
        elsewhere: trains folds in other processes, and leaves what was found in the journal; by default all are trained
            here, one after the other.
        quiet: no progress.
    """
    rates = sorted(section.learning_rate)
    if not section.folds or section.epochs == 0 or len(groups) < 2:
        return Tuning(learning_rate=section.learning_rate[0], epochs=section.epochs)
    trainings = _trainings(encoded, section, key, groups, seed=seed, label=label)
    done = journal.read()
    missing = [fold for fold in trainings if fold.entry not in done]
    if elsewhere is not None and missing:
        elsewhere(missing)
        done = journal.read()
    for fold in trainings:
        if fold.entry not in done:
            done[fold.entry] = learn_fold(opened, encoded, fold, section, seed=seed, quiet=quiet)
            journal.append(fold.entry, done[fold.entry])
    trials = []
    for rate in rates:
        found = [done[fold.entry] for fold in trainings if fold.learning_rate == rate]  # [folds][shots][epochs]
        means = tuple(round(fmean(epoch), 6) for epoch in zip(*(shot for part in found for shot in part), strict=True))
        trials.append(Tried(learning_rate=rate, likelihoods=means))
    best = max(trials, key=lambda trial: max(trial.likelihoods))
    return Tuning(
        learning_rate=best.learning_rate,
        epochs=1 + best.likelihoods.index(max(best.likelihoods)),
        folds=len(trainings) // len(rates),
        trials=tuple(trials),
    )


def _trainings(
    encoded: Sequence[Encoded],
    section: TrainSection,
    key: object,
    groups: Sequence[Sequence[int]],
    *,
    seed: int,
    label: str,
) -> list[Fold]:
    """Every learning rate, the smallest first, with every fold."""
    dealt = folds(len(groups), section.folds, seed=seed)
    parts = [sorted(place for group in part for place in groups[group]) for part in dealt]
    texts = [[*e.prompt, *e.answer, *([] if e.weight == 1 else [e.weight])] for e in encoded]
    return [
        Fold(
            entry=fingerprint([METHOD, key, rate, section, texts, part, seed]),
            learning_rate=rate,
            part=tuple(part),
            label=f"{label}, learning rate {rate:g}, fold {number} of {len(parts)}",
        )
        for rate in sorted(section.learning_rate)
        for number, part in enumerate(parts, start=1)
    ]


def learn_fold(
    opened: Opened,
    encoded: Sequence[Encoded],
    fold: Fold,
    section: TrainSection,
    *,
    seed: int,
    after_step: Callable[[], None] | None = None,
    quiet: bool = False,
) -> list[list[float]]:
    """The likelihood of every held-out shot after every epoch on the others, [shots of the fold][epochs]."""
    held_out, others = [encoded[i] for i in fold.part], [e for i, e in enumerate(encoded) if i not in fold.part]
    epochs: list[list[float]] = []
    with opened() as model:

        def ask() -> None:
            readings = read(model, held_out, max_new_tokens=0)[0]
            epochs.append([0.0 if math.isnan(r.nll) else math.exp(-r.nll) for r in readings])

        train(
            model,
            others,
            section,
            None,
            seed=seed,
            label=fold.label,
            learning_rate=fold.learning_rate,
            after_epoch=ask,
            after_step=after_step,
            quiet=quiet,
        )
    return [list(shot) for shot in zip(*epochs, strict=True)]
