"""What the reranker learns: to prefer passages by the question as BM25 does by the rationale (KARD, arXiv 2305.18395).

P(d|r) = softmax(BM25(d|r) / τ2) and Q(d|x) = softmax(f(x, d) / τ1), both over the candidates of one question; the loss
is KL(P‖Q) (equation 3). Neither temperature is learned or annealed: annealing can go through zero.
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


def _log_shares(scores: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Logarithms of the softmax over the candidates; what is masked has no share."""
    if not 0 < temperature < math.inf:
        raise ValueError(f"a temperature has to be positive, and {temperature} is not")
    return torch.log_softmax((scores / temperature).masked_fill(~mask, LOWEST), dim=1)
