"""Regrets of methods that spend a budget, on draws from published accuracies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from budget.answers import Drawn, Floats, drawn
from budget.methods import Ints, plans, race
from budget.replay import agrees, best, halve
from hubexpert.experts.halving import SAVING, finalists

COUNT, CANDIDATES = 4, 8  # the recipe's defaults, N and M
POINT = 1 + 1e-9
Method = tuple[str, float]  # name, saving
OURS: Method = ("halving", SAVING)


@dataclass(frozen=True)
class Regrets:
    """One entry a draw.

    Attributes:
        saved: evaluations of full scoring / evaluations.
        pick: true accuracy of what full picks on the same shots - that of what the method picks, in points.
        best: the true accuracy of the best - that of what the method picks.
        full_best: the same of what full picks.
        group: as `pick`, of the means of the four best.
        again: as `pick`, of full on the shots of another draw.
    """

    saved: Floats
    pick: Floats
    best: Floats
    full_best: Floats
    group: Floats
    again: Floats

    @property
    def high(self) -> float:
        """The 95th percentile of the regret."""
        return float(np.quantile(self.pick, 0.95))


def within(regret: Floats) -> float:
    """The share of draws with a regret of at most one point."""
    return float((regret <= POINT).mean())


def together(parts: Iterable[Regrets]) -> Regrets:
    """All draws of some parts."""
    listed = list(parts)
    return Regrets(*(np.concatenate([getattr(part, field) for part in listed]) for field in Regrets.__annotations__))


def simulated(
    accuracies: Floats, shots: int, rho: float, draws: int, generator: np.random.Generator, methods: Sequence[Method]
) -> dict[Method, Regrets]:
    """The regrets of some methods, all on the same draws of one task."""
    found: dict[Method, list[Regrets]] = {}
    keep = finalists(len(accuracies), CANDIDATES, COUNT)
    for some in drawn(accuracies, shots, rho, draws, generator):
        correct = some.correct
        full = np.argsort(-correct.sum(axis=2), axis=1, kind="stable")
        for name, saving in methods:
            plan, early = plans(len(accuracies), shots, keep, saving)[name]
            places, spent = race(correct, plan, early)
            if (name, saving) == OURS and not agrees(correct, places, spent, keep):
                raise AssertionError("the benchmark's halving is not the product's")
            found.setdefault((name, saving), []).append(_regrets(some, places, spent, full))
    return {key: together(parts) for key, parts in found.items()}


def with_perplexity(
    accuracies: Floats, shots: int, noise: float, draws: int, generator: np.random.Generator
) -> Regrets:
    """Both ranks, by the product's functions, at rho 0.3.

    The NLL of a gold output is taken to be softplus(-(margin + noise · normal)). That is an assumption: nothing was
    published of how NLLs go with right and wrong.
    """
    by, parts = ("exact_match", "perplexity"), []
    keep = finalists(len(accuracies), CANDIDATES, COUNT)
    for some in drawn(accuracies, shots, 0.3, draws, generator):
        values = some.correct.astype(np.float64)
        nlls = np.logaddexp(0, -some.margins - noise * generator.standard_normal(values.shape))
        for draw in range(len(values)):
            ours, spent = halve(values[draw], nlls[draw], by, keep, COUNT)
            full = best(values[draw], nlls[draw], by, COUNT)
            one = Drawn(some.truth[draw : draw + 1], some.margins[draw : draw + 1])
            parts.append(_regrets(one, np.array([ours]), np.array([spent]), np.array([full])))
    return together(parts)


def _regrets(some: Drawn, places: Ints, spent: Ints, full: Ints) -> Regrets:
    truth = 100 * some.truth
    ours, wanted = (np.take_along_axis(truth, order[:, :COUNT], axis=1) for order in (places, full))
    return Regrets(
        saved=truth.shape[1] * some.margins.shape[2] / spent,
        pick=wanted[:, 0] - ours[:, 0],
        best=truth.max(axis=1) - ours[:, 0],
        full_best=truth.max(axis=1) - wanted[:, 0],
        group=wanted.mean(axis=1) - ours.mean(axis=1),
        again=wanted[:, 0] - np.roll(wanted[:, 0], 1),
    )
