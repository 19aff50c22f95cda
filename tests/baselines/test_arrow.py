"""Arrow through PEFT, against its formula token by token."""

from typing import Any

import pytest
import torch

from hubexpert.baselines.arrow import arrow
from hubexpert.examine import examine
from hubexpert.factors import Factors
from hubexpert.lm import Lm, encode
from hubexpert.reading import read, read_plainly
from hubexpert.records import Example
from tests import tiny

EXAMPLES = [Example(instruction="Say it.", input="x" * (i + 1), output="y" * (i + 1)) for i in range(4)]


@pytest.fixture
def model() -> Lm:
    """The tiny base."""
    return Lm(tiny.model(), tiny.tokenizer())


def expert(model: Lm, seed: int, rank: int, *suffixes: str) -> Factors:
    """An expert with one direction that stands out in each ΔW, so that PEFT's prototypes have converged."""
    generator = torch.Generator().manual_seed(seed)
    a, b = {}, {}
    for name, module in model.model.named_modules():
        if name.endswith(suffixes):
            decay = 0.3 ** torch.arange(rank)
            a[name] = torch.linalg.qr(torch.randn(module.in_features, rank, generator=generator))[0].T.contiguous()
            b[name] = torch.linalg.qr(torch.randn(module.out_features, rank, generator=generator))[0] * decay * 3
    return Factors(a, b)


def slow(model: Lm, experts: list[Factors], ids: torch.Tensor) -> torch.Tensor:
    """The logits with the formula at every module: one token and one expert after the other."""

    def changed(name: str) -> Any:
        def hook(_module: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
            deltas = [e.b[name] @ e.a[name] if name in e.a else None for e in experts]
            directions = [None if d is None else torch.linalg.svd(d).Vh[0] for d in deltas]
            result = output.clone()
            for place in range(inputs[0].shape[1]):
                x = inputs[0][0, place]
                alike = [0.0 if v is None else abs(float(v @ x)) for v in directions]
                two = sorted(range(len(experts)), key=lambda i: -alike[i])[:2]
                gates = torch.tensor([alike[i] for i in two]).softmax(0)
                for gate, i in zip(gates, two, strict=True):
                    if deltas[i] is not None:
                        result[0, place] += gate * (deltas[i] @ x)
            return result

        return hook

    modules = dict(model.model.named_modules())
    handles = [modules[m].register_forward_hook(changed(m)) for m in sorted({m for e in experts for m in e.a})]
    found = tiny.logits(model.model, ids)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_token_uses_the_two_experts_whose_direction_it_is_most_alike(count: int, model: Lm) -> None:
    """Experts of other ranks and modules are padded with zeros: they take part in the choice and add nothing there."""
    experts = [expert(model, 1, 4, "q_proj", "v_proj"), expert(model, 2, 2, "q_proj"), expert(model, 3, 3, "v_proj")]
    ids = torch.randint(0, 256, (1, 11), generator=torch.Generator().manual_seed(0))
    before = tiny.logits(model.model, ids)
    wanted = slow(model, experts[:count], ids)
    with arrow(model, experts[:count], seed=0) as routed:
        got = tiny.logits(routed.model, ids)
        assert torch.isfinite(got).all()
        assert tiny.error(got, wanted) < 1e-4
    assert tiny.error(got, before) > 1e-2
    assert torch.equal(tiny.logits(model.model, ids), before)
    assert not any("lora" in name for name, _ in model.model.named_modules())


def test_it_can_be_measured_as_any_model_and_opened_again(model: Lm) -> None:
    """Shared beginnings and kept keys and values change nothing, and nothing remains for the next one."""
    experts = [expert(model, 1, 4, "q_proj", "v_proj"), expert(model, 2, 4, "q_proj", "v_proj")]
    encoded = [encode(model.tokenizer, example, example.output) for example in EXAMPLES]
    found = []
    for chosen in (experts, experts[::-1], experts[:1]):
        with arrow(model, chosen, seed=0) as routed:
            readings, plain = (
                read(routed, encoded, max_new_tokens=6)[0],
                read_plainly(routed, encoded, max_new_tokens=6),
            )
            answers = examine(routed, EXAMPLES, "exact_match", max_new_tokens=6)[0]
        assert [reading.text for reading in readings] == [reading.text for reading in plain]
        assert list(answers.nlls) == pytest.approx([reading.nll for reading in plain], rel=1e-4)
        found.append(answers.nlls)
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    assert found[0] != pytest.approx(found[2], rel=1e-3)
