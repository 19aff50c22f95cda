"""The order in which experts stand in a mixture changes nothing but rounding."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
import torch

from hubexpert.factors import Factors, read_factors
from hubexpert.lm import Lm
from hubexpert.moe.adapter import attach, gated_layers, static
from hubexpert.moe.initial import random_routers
from hubexpert.moe.listen import fold_means, mean_gates
from hubexpert.moe.widen import linears, widen
from hubexpert.records import Example
from hubexpert.trained import encode_all
from tests import tiny
from tests.pipeline.world import rows

ORDERS = [order for order in permutations(range(3)) if order != (0, 1, 2)]
ROWS = [Example(**row) for row in rows(6)]


@pytest.fixture(scope="module")
def experts(tmp_path_factory: pytest.TempPathFactory) -> list[Factors]:
    """Of different ranks, on different modules."""
    root = tmp_path_factory.mktemp("experts")
    how: list[dict[str, Any]] = [
        {"r": 4},
        {"r": 2, "target_modules": ["v_proj", "down_proj"]},
        {"r": 8, "lora_alpha": 4},
    ]
    return [read_factors(tiny.lora(root / str(i), seed=i, **settings)) for i, settings in enumerate(how)]


def forms(experts: Sequence[Factors], order: Sequence[int], routers_in: Sequence[int]) -> tuple[torch.Tensor, ...]:
    """The logits of the routed and the static form, the experts in one order and their routers in another."""
    base, tokenizer = tiny.model(), tiny.tokenizer()
    layers = linears(base, {suffix for expert in experts for suffix in expert.suffixes})
    routers = random_routers(widen(experts, layers, shared_rank=3, seed=1), seed=1)
    wide = widen([experts[place] for place in order], layers, shared_rank=3, seed=1)
    model = attach(base, wide, {m: 5 * router[list(routers_in)] for m, router in routers.items()}, top_k=2)
    torch.manual_seed(7)
    for gate, b in gated_layers(model).values():
        shared = gate.owner == len(experts)
        b.weight.data[:, shared] = 0.2 * torch.randn(b.weight.shape[0], int(shared.sum()))
    form = Lm(model.requires_grad_(False).eval(), tokenizer)
    fold_means(model, mean_gates(form, encode_all(form, ROWS)))
    ids = torch.randint(0, 256, (3, 11), generator=torch.Generator().manual_seed(5))
    routed = tiny.logits(model, ids)
    with static(model):
        return routed, tiny.logits(model, ids)


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_the_order_of_the_experts_changes_nothing(order: tuple[int, ...], experts: list[Factors]) -> None:
    """Neither routed nor static, if each has its own router, whatever the experts' ranks and modules."""
    for got, wanted in zip(forms(experts, order, order), forms(experts, (0, 1, 2), (0, 1, 2)), strict=True):
        assert tiny.error(got, wanted) < 1e-5


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_the_routers_of_others_change_much(order: tuple[int, ...], experts: list[Factors]) -> None:
    """What is equal above would not be if a gate counted for an expert that it is not of."""
    for got, wanted in zip(forms(experts, order, (0, 1, 2)), forms(experts, (0, 1, 2), (0, 1, 2)), strict=True):
        assert tiny.error(got, wanted) > 1e-2
