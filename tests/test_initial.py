"""Where routers start, against slow references on the tiny base."""

from pathlib import Path

import pytest
import torch

from hubexpert.factors import Factors, read_factors
from hubexpert.lm import Encoded, Lm, encode, mean_nll
from hubexpert.moe.initial import best_experts, mean_inputs, random_routers, routers
from hubexpert.moe.widen import Wide, linears, widen
from hubexpert.records import Example
from hubexpert.slots import applied
from tests import tiny

LENGTH = 3**-0.5


@pytest.fixture
def model() -> Lm:
    return Lm(tiny.model(), tiny.tokenizer())


@pytest.fixture
def experts(tmp_path: Path) -> list[Factors]:
    """Three adapters, the last on other modules."""
    targets = (["q_proj", "v_proj"], ["q_proj", "v_proj"], ["down_proj"])
    return [
        read_factors(tiny.lora(tmp_path / str(i), seed=i, r=3 + i, target_modules=t)) for i, t in enumerate(targets)
    ]


@pytest.fixture
def encoded(model: Lm) -> list[Encoded]:
    """Shots of different lengths: batches are padded."""
    return [
        encode(model.tokenizer, Example(input=chr(97 + i) * (1 + 3 * i), output=o), o) for i, o in enumerate("xyzxyzw")
    ]


def wide_of(model: Lm, experts: list[Factors]) -> Wide:
    return widen(experts, linears(model.model, {s for e in experts for s in e.suffixes}), shared_rank=2, seed=0)


def inputs_of(model: Lm, module: str, example: Encoded) -> torch.Tensor:
    """What the module reads of one example alone, [tokens, in]."""
    seen: list[torch.Tensor] = []
    handle = model.model.get_submodule(module).register_forward_pre_hook(lambda _, given: seen.append(given[0][0]))
    with torch.inference_mode():
        model.model(torch.tensor([[*example.prompt, *example.answer]]))
    handle.remove()
    return seen[0].clone()


def test_mean_inputs_are_those_of_every_example_alone(model: Lm, encoded: list[Encoded]) -> None:
    """Padding counts for nothing."""
    for module in ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"):
        means = mean_inputs(model, [module], encoded)[module]
        for mean, example in zip(means, encoded, strict=True):
            assert torch.allclose(mean, inputs_of(model, module, example).mean(0), atol=1e-5)


def test_a_prototype_is_the_first_right_singular_vector(
    model: Lm, experts: list[Factors], encoded: list[Encoded]
) -> None:
    """Of the whole BA, as long as a random row, on the side of the mean input; nothing where the expert has nothing."""
    wide = wide_of(model, experts)
    for module, router in routers(model, experts, wide, encoded, "prototypes", seed=0).items():
        mean = torch.stack([inputs_of(model, module, e).mean(0) for e in encoded]).mean(0)
        for row, expert in zip(router, experts, strict=True):
            if module not in expert.a:
                assert not row.any()
                continue
            first = torch.linalg.svd(expert.b[module] @ expert.a[module]).Vh[0]
            assert abs(float(row @ first)) == pytest.approx(LENGTH, rel=1e-4)
            assert float(row.norm()) == pytest.approx(LENGTH, rel=1e-4)
            assert float(row @ mean) >= 0


def test_the_best_expert_of_a_shot_is_the_one_that_explains_it_best(
    model: Lm, experts: list[Factors], encoded: list[Encoded]
) -> None:
    nlls = []
    for expert in experts:
        with applied(model.model, expert):
            nlls.append(mean_nll(model, encoded))
    best = [min(range(3), key=lambda e: nlls[e][i]) for i in range(len(encoded))]
    assert best_experts(model, experts, encoded) == best
    assert len(set(best)) > 1, "the shots tell the experts apart"


def test_routers_from_shots_point_to_the_shots_of_each_expert(
    model: Lm, experts: list[Factors], encoded: list[Encoded]
) -> None:
    """The mean input of those an expert explains best, less the mean of all; zero for one that explains none best."""
    wide, best = wide_of(model, experts), best_experts(model, experts, encoded)
    for module, router in routers(model, experts, wide, encoded, "shots", seed=0).items():
        means = torch.stack([inputs_of(model, module, e).mean(0) for e in encoded])
        for number, row in enumerate(router):
            own = [i for i, b in enumerate(best) if b == number]
            if not own:
                assert not row.any()
                continue
            wanted = means[own].mean(0) - means.mean(0)
            assert torch.allclose(row, LENGTH * wanted / wanted.norm(), atol=1e-4)


def test_random_routers_are_drawn_as_a_linear_layer_draws_them(model: Lm, experts: list[Factors]) -> None:
    """Uniform in ±1/√in, equal for equal seeds, other for others."""
    wide = wide_of(model, experts)
    first, again, other = (random_routers(wide, seed=seed) for seed in (3, 3, 4))
    for module, router in first.items():
        inside = wide.a[module].shape[1]
        assert router.shape == (3, inside)
        assert router.abs().max() <= inside**-0.5
        assert float(router.norm(dim=1).mean()) == pytest.approx(LENGTH, rel=0.25)
        assert torch.equal(router, again[module])
        assert not torch.equal(router, other[module])
