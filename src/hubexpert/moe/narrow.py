"""Narrower LoRAs out of a wide one: its best of a lower rank, and one expert's columns."""

import math
from dataclasses import dataclass

import torch

from hubexpert.factors import Factors
from hubexpert.lowrank import thin_svd
from hubexpert.moe.router import Router


@dataclass(frozen=True)
class Truncated:
    """A LoRA cut to a rank, with what that lost: ‖ΔW - ΔW_R‖ / ‖ΔW‖ over all modules, and in the worst of them."""

    factors: Factors
    error: float
    worst_module: str
    worst_error: float


def truncate(factors: Factors, rank: int) -> Truncated:
    """Every module's ΔW cut to the best of rank R (Eckart and Young), the singular values shared evenly by A and B."""
    a, b, lost, total = {}, {}, {}, {}
    for module in factors.a:
        u, s, v = thin_svd(factors.a[module], factors.b[module])
        root = s[:rank].sqrt()
        a[module] = (root[:, None] * v[:, :rank].T).float()
        b[module] = (u[:, :rank] * root).float()
        lost[module], total[module] = float(s[rank:].square().sum()), float(s.square().sum())
    errors = {module: math.sqrt(lost[module] / total[module]) if total[module] else 0.0 for module in lost}
    worst = max(errors, key=errors.__getitem__)
    return Truncated(Factors(a, b), math.sqrt(sum(lost.values()) / sum(total.values())), worst, errors[worst])


def expert_columns(factors: Factors, router: Router, number: int) -> Factors:
    """One expert's columns, with the gate 1: the mean gate that is folded into its B is divided out again.

    Args:
        factors: the wide LoRA.
        router: who owns its columns.
        number: the expert, from 0; the number of experts means the shared one, whose columns carry no mean.

    Returns:
        Its factors, in the modules that it has; the zeros that fill modules up to one rank belong to nobody.
    """
    a, b = {}, {}
    for module, rows in factors.a.items():
        columns = factors.b[module]
        experts = len(router.mean[module])
        own = (router.owner[module] == number) & (rows.any(1) | columns.any(0) | (number < experts))
        if own.any():
            mean = router.mean[module][number].float() if number < experts else torch.tensor(1.0)
            a[module], b[module] = rows[own], columns[:, own] / mean
    return Factors(a, b)
