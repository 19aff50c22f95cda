"""How evenly routers spread the tokens, and what training with a weight on that, or with dropped experts, does."""

from pathlib import Path
from typing import Any

import pytest
import torch

from hubexpert.factors import read_factors
from hubexpert.lm import Lm, mean_nll
from hubexpert.moe.adapter import gated_layers
from hubexpert.moe.gate import GatedLinear
from hubexpert.moe.listen import imbalance, listening
from hubexpert.recipe import TrainSection
from hubexpert.records import Example, as_lesson
from hubexpert.train import train
from hubexpert.trained import Lesson, encode_all, mixture_start, opened
from hubexpert.workspace import Journal
from tests import tiny

SHOTS = tuple(Example(input=f"{'ab'[i % 2]}{i}", output=("left", "right")[i % 2]) for i in range(12))


def gate_of(experts: int, top_k: int, *, bias: float = 0.0) -> GatedLinear:
    """A gate whose first expert is favoured by `bias`; inputs have a 1 in their first place."""
    generator = torch.Generator().manual_seed(0)
    router = torch.randn(experts, 6, generator=generator)
    router[0, 0] += bias
    return GatedLinear(torch.randn(experts, 6), router, torch.arange(experts), torch.ones(experts), top_k)


@pytest.mark.parametrize(("experts", "top_k"), [(2, 1), (4, 2), (5, 5)])
def test_imbalance_agrees_with_a_loop_over_tokens(experts: int, top_k: int) -> None:
    """E Σ fP over the tokens that are there; padding counts for nothing."""
    gate = gate_of(experts, top_k)
    x, mask = torch.randn(3, 7, 6), torch.ones(3, 7)
    mask[0, :4] = mask[2, :1] = 0
    x[0, :4] = 1e6
    chosen, probability, tokens = [0.0] * experts, [0.0] * experts, 0
    for row in range(3):
        for place in range(7):
            if not mask[row, place]:
                continue
            tokens += 1
            logits = [float(r @ x[row, place]) for r in gate.router.detach()]
            total = sum(torch.tensor(logits).exp()).item()
            for expert in sorted(range(experts), key=lambda e: -logits[e])[:top_k]:
                chosen[expert] += 1 / top_k
            for expert in range(experts):
                probability[expert] += float(torch.tensor(logits[expert]).exp()) / total
    wanted = experts * sum(f / tokens * p / tokens for f, p in zip(chosen, probability, strict=True))
    assert imbalance(gate, x, mask).item() == pytest.approx(wanted, rel=1e-4)


def test_an_even_load_is_one_and_a_single_favourite_costs_up_to_the_number_of_experts() -> None:
    x = torch.cat([torch.ones(1, 500, 1), torch.randn(1, 500, 5)], dim=-1)
    mask = torch.ones(1, 500)
    assert imbalance(gate_of(4, 1, bias=50.0), x, mask).item() == pytest.approx(4, rel=1e-3)
    even = gate_of(4, 4)
    even.router.data.zero_()
    assert imbalance(even, x, mask).item() == pytest.approx(1)


def test_listening_hears_every_input_and_stops() -> None:
    gate, heard = gate_of(3, 2), []
    x = torch.randn(2, 4, 6)
    with listening({"a gate": gate}, lambda name, given: heard.append((name, given))):
        gate(x)
    gate(x)
    assert [name for name, _ in heard] == ["a gate"]
    assert torch.equal(heard[0][1], x)


def learned(folder: Path, **settings: Any) -> tuple[float, float, list[float]]:
    """After training: the mean imbalance of the gates, the NLL of the shots, and the routers' numbers."""
    model = Lm(tiny.model(), tiny.tokenizer())
    section = TrainSection(epochs=6, learning_rate=3e-3, folds=0, batch_size=4, shared_rank=2, **settings)
    lesson = Lesson(as_lesson(SHOTS), section, 0, Journal(folder / "t.jsonl"), folder / "c", quiet=True)
    factors = [read_factors(tiny.lora(folder / str(i), seed=i)) for i in range(3)]
    start = mixture_start(model, factors, lesson)
    for router in start.routers.values():
        router[0] *= 4  # longer rows have larger logits: chosen more often
    encoded = encode_all(model, SHOTS)
    with opened(model, start, section) as form:
        train(form, encoded, section, None, seed=0, label="", quiet=True)
        gates, terms = {name: gate for name, (gate, _) in gated_layers(form.model).items()}, []
        mask = torch.ones(1, len(encoded[0].prompt))
        with torch.no_grad(), listening(dict(gates), lambda name, x: terms.append(imbalance(gates[name], x, mask))):
            for each in encoded:
                form.model(torch.tensor([each.prompt[-mask.shape[1] :]]))
        uneven = float(torch.stack(terms).mean())
        routers = torch.cat([gate.router.detach().flatten() for gate, _ in gated_layers(form.model).values()])
        return uneven, sum(mean_nll(form, encoded)), routers.tolist()


def test_a_weight_on_the_balance_spreads_the_load(tmp_path: Path) -> None:
    plain = learned(tmp_path / "plain", router_rate=10.0)
    balanced = learned(tmp_path / "balanced", router_rate=10.0, balance=5.0)
    assert plain[0] > 1.03
    assert balanced[0] - 1 < 0.85 * (plain[0] - 1)


def test_dropped_experts_change_the_training_and_nothing_after_it(tmp_path: Path) -> None:
    """Equal seeds drop the same experts; in evaluation mode all are there."""
    plain, dropped, again = (learned(tmp_path / n, dropout=d) for n, d in (("a", 0.0), ("b", 0.5), ("c", 0.5)))
    assert dropped == again
    assert dropped[2] != plain[2]
