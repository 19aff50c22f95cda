"""A matrix as the product of two thin ones, with what that loses."""

from dataclasses import dataclass

import torch

TOLERANCE = 1e-3  # of a module's norm: well below what the rounding of a bfloat16 base does to its answers
FIRST_WIDTH = 32
SMALL = 512  # up to this side the whole decomposition is cheap


@dataclass(frozen=True)
class Cut:
    """`b @ a` stands for a matrix; `lost` and `total` are the squared norms of the difference and of the matrix."""

    a: torch.Tensor  # [r, in]
    b: torch.Tensor  # [out, r]
    lost: float
    total: float


@torch.no_grad()
def cut(matrix: torch.Tensor, max_rank: int) -> Cut:
    """The matrix [out, in] cut to the smallest rank whose relative error is within `TOLERANCE`, at most `max_rank`.

    The rank is 0 where the matrix is zero. The error is measured on the product as it is given back. Large matrices
    are decomposed step by step with a random start (Halko et al., 2011), always with the same seed.
    """
    total = _square(matrix)
    allowed = TOLERANCE**2 * total
    width = FIRST_WIDTH
    while True:
        u, s, v, rest = _leading(matrix, width)
        tails = torch.cat([s.flip(0).square().cumsum(0).flip(0), s.new_zeros(1)]) + rest  # [k]: lost at rank k
        if rest <= allowed / 2 or width >= max_rank:
            break
        width *= 2
    enough = (tails <= allowed).nonzero()
    rank = min(int(enough[0]) if len(enough) else len(s), max_rank)
    root = s[:rank].sqrt().to(matrix.dtype)
    b, a = (u[:, :rank] * root).contiguous(), (v[:, :rank] * root).T.contiguous()
    return Cut(a, b, _square(matrix - b @ a), total)


@torch.no_grad()
def thin_svd(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The singular value decomposition of b @ a = U S Vᵀ for thin factors a [r, in] and b [out, r], in float64.

    The product is never formed: with b = Q_b R_b and aᵀ = Q_a R_a it is Q_b (R_b R_aᵀ) Q_aᵀ.

    Returns:
        U [out, k], the singular values [k], largest first, and V [in, k]; k is r, or the shorter side of the product.
    """
    basis_b, rest_b = torch.linalg.qr(b.double())
    basis_a, rest_a = torch.linalg.qr(a.double().T)
    u, s, vt = torch.linalg.svd(rest_b @ rest_a.T, full_matrices=False)
    return basis_b @ u, s, basis_a @ vt.T


def _leading(matrix: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
    """The leading singular vectors U [out, k], V [in, k] and values [k] in float64, and the square of what is left."""
    if min(matrix.shape) <= max(SMALL, 2 * width):
        u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
        return u, s.double(), vh.mT, 0.0
    devices = [matrix.device] if matrix.is_cuda else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(0)
        u, s, v = torch.svd_lowrank(matrix, q=width + 8, niter=4)
    return u, s.double(), v, _square(matrix - (u * s) @ v.mT)


def _square(matrix: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(matrix, dtype=torch.float64)) ** 2
