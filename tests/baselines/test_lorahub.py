"""LoraHub: planted weights are found, and the sum is PEFT's."""

import sys
from pathlib import Path
from statistics import fmean

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer

from hubexpert.baselines.lorahub import LARGEST, lorahub, weighted
from hubexpert.errors import HubExpertError
from hubexpert.factors import Factors, read_factors
from hubexpert.lm import Lm, encode, mean_nll
from hubexpert.records import Example
from hubexpert.slots import applied
from tests import tiny
from tests.pipeline.world import INSTRUCTION, rows, solver

SHOTS = [Example(instruction=INSTRUCTION, **row) for row in rows(8)]


@pytest.fixture(scope="module")
def model() -> Lm:
    """The tiny base."""
    return Lm(tiny.model(), tiny.tokenizer())


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """An adapter that solves the toy task and one that harms it, of other rank, scaling and modules."""
    root = tmp_path_factory.mktemp("lorahub")
    return [solver(root / "solver"), tiny.lora(root / "harmful", seed=1, scale=1.0, r=8, use_rslora=True)]


def loss(model: Lm, factors: Factors, examples: list[Example]) -> float:
    with applied(model.model, factors):
        return fmean(mean_nll(model, [encode(model.tokenizer, e, e.output) for e in examples]))


def test_the_sum_is_that_of_peft_with_weights_as_scalings(model: Lm, folders: list[Path]) -> None:
    """Σ wᵢ ΔWᵢ, no products of one expert's B with another's A; different ranks, modules and scalings are no matter."""
    ids = torch.randint(0, 256, (2, 9), generator=torch.Generator().manual_seed(0))
    weights = (0.7, -1.2)
    with applied(model.model, weighted([read_factors(folder) for folder in folders], weights)):
        got = tiny.logits(model.model, ids)
    both = PeftModel.from_pretrained(tiny.model(), str(folders[0]), adapter_name="first")
    both.load_adapter(str(folders[1]), adapter_name="second")
    both.base_model.set_adapter(["first", "second"])
    for module in both.modules():
        for name, weight in zip(("first", "second"), weights, strict=True):
            if isinstance(module, LoraLayer) and name in module.scaling:
                module.scaling[name] *= weight
    assert tiny.error(got, tiny.logits(both.eval(), ids)) < 1e-5


def test_the_weight_of_the_expert_that_solves_the_task_is_the_larger_one(model: Lm, folders: list[Path]) -> None:
    """The weighted sum beats the base, either expert, and the plain mean, also on other examples; a seed repeats it."""
    pytest.importorskip("nevergrad")
    experts = [read_factors(folder) for folder in folders]
    weights = lorahub(model, experts, SHOTS, seed=0)
    assert weights[0] > 0.5 > weights[1]
    assert all(abs(weight) <= LARGEST for weight in weights)
    assert lorahub(model, experts, SHOTS, seed=0) == weights
    others = [Example(instruction=INSTRUCTION, **row) for row in rows(12, 100)]
    found = loss(model, weighted(experts, weights), others)
    for other in ((0.0, 0.0), (0.5, 0.5), (0.0, 1.0), (1.0, 1.0)):
        assert found < loss(model, weighted(experts, other), others)


def test_the_search_starts_from_the_base_and_never_ends_worse(model: Lm, folders: list[Path]) -> None:
    """With the penalty, an expert that only harms gets a weight that does not; the base is left as it was."""
    pytest.importorskip("nevergrad")
    ids = torch.arange(10)[None]
    before = tiny.logits(model.model, ids)
    harmful = read_factors(folders[1])
    weights = lorahub(model, [harmful], SHOTS, seed=0)
    penalised = loss(model, weighted([harmful], weights), SHOTS) + 0.05 * abs(weights[0])
    assert penalised <= loss(model, weighted([harmful], (0.0,)), SHOTS) + 1e-6
    assert torch.equal(tiny.logits(model.model, ids), before)


def test_without_nevergrad_the_error_says_what_to_install(
    model: Lm, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nevergrad", None)  # importing it is an ImportError, as where it is not installed
    with pytest.raises(HubExpertError) as caught:
        lorahub(model, [read_factors(folders[1])], SHOTS, seed=0)
    assert "hubexpert[lorahub]" in caught.value.fix
