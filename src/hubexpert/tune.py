"""Learning rate and epochs chosen by cross-validation on the shots, in the same way for everything that is trained."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from statistics import fmean

from hubexpert.experts.adapted import folds
from hubexpert.lm import Encoded, Lm
from hubexpert.reading import read
from hubexpert.recipe import TrainSection
from hubexpert.records import Tried, Tuning
from hubexpert.train import train
from hubexpert.workspace import METHOD, Journal, fingerprint

Opened = Callable[[], AbstractContextManager[Lm]]


def tune(
    opened: Opened,
    encoded: Sequence[Encoded],
    section: TrainSection,
    journal: Journal,
    key: object,
    *,
    seed: int,
    label: str,
    quiet: bool = False,
) -> Tuning:
    """The learning rate and the number of epochs under which the shots that were not trained on are likeliest.

    For every learning rate and every fold, train on the other folds over the whole schedule, and after each epoch ask
    how likely the fold's gold outputs are: 1 / perplexity, the geometric mean of the tokens' probabilities, which no
    single confident error can dominate. The mean over all shots decides; of equals the smaller rate, then fewer epochs.
    The same folds for every system and rate; the final training follows the same schedule as far as the chosen epoch.

    Args:
        opened: opens what is to be trained on the base, as it starts; closing it leaves the base as it was.
        encoded: the shots.
        section: the learning rates, folds and epochs.
        journal: where every finished fold is kept.
        key: what the result depends on besides the shots and the section.
        seed: of the folds, and of training.
        label: what the progress calls it.
        quiet: no progress.
    """
    rates = sorted(section.learning_rate)
    if not section.folds or section.epochs == 0 or len(encoded) < 2:
        return Tuning(learning_rate=section.learning_rate[0], epochs=section.epochs)
    parts = folds(len(encoded), section.folds, seed=seed)
    done = journal.read()
    trials = []
    for rate in rates:
        likelihoods: list[list[float]] = []  # [shots][epochs]
        for number, part in enumerate(parts, start=1):
            entry = fingerprint([METHOD, key, rate, section, [list(e.prompt + e.answer) for e in encoded], part, seed])
            if entry not in done:
                name = f"{label}, learning rate {rate:g}, fold {number} of {len(parts)}"
                done[entry] = _fold(opened, encoded, part, section, rate, seed=seed, label=name, quiet=quiet)
                journal.append(entry, done[entry])
            likelihoods += done[entry]
        means = tuple(round(fmean(epoch), 6) for epoch in zip(*likelihoods, strict=True))
        trials.append(Tried(learning_rate=rate, likelihoods=means))
    best = max(trials, key=lambda trial: max(trial.likelihoods))
    return Tuning(
        learning_rate=best.learning_rate,
        epochs=1 + best.likelihoods.index(max(best.likelihoods)),
        folds=len(parts),
        trials=tuple(trials),
    )


def _fold(
    opened: Opened,
    encoded: Sequence[Encoded],
    part: Sequence[int],
    section: TrainSection,
    rate: float,
    *,
    seed: int,
    label: str,
    quiet: bool,
) -> list[list[float]]:
    """The likelihood of every held-out shot after every epoch on the others, [shots of the fold][epochs]."""
    held_out, others = [encoded[i] for i in part], [e for i, e in enumerate(encoded) if i not in part]
    epochs: list[list[float]] = []
    with opened() as model:

        def ask() -> None:
            readings = read(model, held_out, max_new_tokens=0)[0]
            epochs.append([0.0 if math.isnan(r.nll) else math.exp(-r.nll) for r in readings])

        train(model, others, section, None, seed=seed, label=label, learning_rate=rate, after_epoch=ask, quiet=quiet)
    return [list(shot) for shot in zip(*epochs, strict=True)]
