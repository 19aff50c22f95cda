"""LoraHub (arXiv 2307.13269): one weight an expert, found on the shots without gradients, and their weighted sum."""

import warnings
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch

from hubexpert import lm
from hubexpert.errors import HubExpertError
from hubexpert.examine import expanded
from hubexpert.factors import Factors
from hubexpert.lm import Lm
from hubexpert.moe.widen import Wide, widen
from hubexpert.reading import read
from hubexpert.records import Example
from hubexpert.slots import applied

LARGEST = 1.5
EVALUATIONS = 40
PENALTY = 0.05  # the paper's α


def lorahub(model: Lm, experts: Sequence[Factors], shots: Sequence[Example], *, seed: int) -> tuple[float, ...]:
    """The weight of every expert, within ±1.5, for `slots.applied(model.model, weighted(experts, weights))`.

    NGOpt of nevergrad gets 40 evaluations, starting where all weights are 0, to minimise the mean NLL of the shots'
    gold outputs plus 0.05 · mean |w|: the paper's settings, with the penalty averaged over experts as in its code.

    That code (sail-sg/lorahub, `algorithm.py`) weighs the experts' A and B each by itself, (Σ wᵢ Bᵢ)(Σ wᵢ Aᵢ): it adds
    products of one expert's B with another's A, squares the weights, and needs equal ranks and modules. Here
    Σ wᵢ Bᵢ Aᵢ is summed exactly. It also divides the mean NLL once more by the number of shots, so that with many of
    them little but the penalty counts; not so here.

    Raises:
        HubExpertError: nevergrad is not installed.
    """
    nevergrad = searcher()
    wide = _side_by_side(experts)
    encoded = [lm.encode(model.tokenizer, shot, expanded(shot)) for shot in shots]

    def objective(weights: Any) -> float:
        with applied(model.model, _scaled(wide, weights.tolist())):
            nll = fmean(reading.nll for reading in read(model, encoded, max_new_tokens=0)[0])
        return nll + PENALTY * fmean(map(abs, weights.tolist()))

    weights = nevergrad.p.Array(
        init=[0.0] * len(experts), lower=[-LARGEST] * len(experts), upper=[LARGEST] * len(experts)
    )
    weights.random_state.seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nevergrad's settings for what it calls; nothing the user could change
        found = nevergrad.optimizers.NGOpt(parametrization=weights, budget=EVALUATIONS).minimize(objective)
    return tuple(float(weight) for weight in found.value)


def weighted(experts: Sequence[Factors], weights: Sequence[float]) -> Factors:
    """The adapter whose ΔW is Σ wᵢ ΔWᵢ in every module, exactly: the experts side by side, B's columns weighted."""
    return _scaled(_side_by_side(experts), weights)


def _side_by_side(experts: Sequence[Factors]) -> Wide:
    layers = {m: (e.a[m].shape[1], e.b[m].shape[0]) for e in experts for m in e.a}
    return widen(experts, layers, shared_rank=0, seed=0)


def _scaled(wide: Wide, weights: Sequence[float]) -> Factors:
    by_owner = torch.tensor(weights)
    return Factors(wide.a, {module: b * by_owner[wide.owner[module]] for module, b in wide.b.items()})


def searcher() -> Any:
    """The library that searches the weights.

    Raises:
        HubExpertError: it is not installed.
    """
    try:
        import nevergrad
    except ImportError as error:
        raise HubExpertError(
            "nevergrad, with which LoraHub searches its weights, is not installed.",
            fix="pip install 'hubexpert[lorahub]'",
        ) from error
    return nevergrad
