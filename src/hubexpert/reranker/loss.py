"""What the reranker learns: to prefer passages by the question as BM25 does by the rationale (KARD, arXiv 2305.18395).

P(d|r) = softmax(BM25(d|r) / τ2) and Q(d|x) = softmax(f(x, d) / τ1), both over the candidates of one question; the loss
is KL(P‖Q) (equation 3). By default P is anchored to the starting model f0, as softmax(f0(x, d) / τ1 + BM25(d|r) / τ2):
the product of what it says already and of what the rationale says. What cannot be told from the question then leaves
the model as it was, where the paper's P lets it forget what it knew. Neither temperature is learned or annealed:
annealing can go through zero.
"""

import math

import torch
from torch import Tensor

LOWEST = torch.finfo(torch.float32).min  # its share is 0, and unlike infinity its gradient is no NaN


def divergence(predicted: Tensor, wanted: Tensor, mask: Tensor, sharpness: tuple[float, float]) -> Tensor:
    """KL(P‖Q) of each question `[questions]`, in nats.

    Args:
        predicted: f(x, d), the reranker's scores `[questions, candidates]`.
        wanted: BM25 scores for the rationale, of that shape; not negative.
        mask: of that shape, true where there is a candidate; each question has at least one.
        sharpness: τ1 and τ2.

    Raises:
        ValueError: a temperature is not positive.
    """
    ours, theirs = sharpness
    log_q = _log_shares(predicted.float(), mask, ours)
    log_p = _log_shares(wanted.float(), mask, theirs)
    return torch.where(mask, log_p.exp() * (log_p - log_q), 0.0).sum(1)


def anchored(wanted: Tensor, first: Tensor, weight: float, sharpness: tuple[float, float]) -> Tensor:
    """What stands for BM25's scores in `divergence` where the starting model counts too; of their shape.

    Divided by τ2 it is weight · f0(x, d) / τ1 + BM25(d|r) / τ2.

    Args:
        wanted: BM25 scores for the rationale.
        first: f0(x, d), the starting model's scores, of that shape.
        weight: how far they count; at 0 BM25 alone does, as in the paper.
        sharpness: τ1 and τ2.
    """
    ours, theirs = sharpness
    return wanted + weight * theirs / ours * first


def _log_shares(scores: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Logarithms of the softmax over the candidates; what is masked has no share."""
    if not 0 < temperature < math.inf:
        raise ValueError(f"a temperature has to be positive, and {temperature} is not")
    return torch.log_softmax((scores / temperature).masked_fill(~mask, LOWEST), dim=1)
