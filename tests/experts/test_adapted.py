"""Adapted perplexity against PEFT's own LoRA, one example at a time, and on adapters of which one knows the task."""

import gc
import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import nn

from hubexpert import lm
from hubexpert.errors import HubExpertError
from hubexpert.examine import examine
from hubexpert.experts.adapted import Adaptation, adapt, adapted_nlls, folds, fresh, start
from hubexpert.factors import Factors, read_factors
from hubexpert.lm import Encoded, Lm
from hubexpert.reading.prefix import shared
from hubexpert.records import Example
from hubexpert.slots import applied
from tests import tiny
from tests.pipeline import world

ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
BRISK = Adaptation(learning_rate=1e-2)


def shots(form: str = "[{}]") -> list[Example]:
    """The toy task, its outputs in another form than the solver has learned."""
    return [
        Example(instruction=world.INSTRUCTION, input=row["input"], output=form.format(row["output"]))
        for row in world.rows(16)
    ]


def encode(examples: list[Example]) -> list[Encoded]:
    return [lm.encode(tiny.tokenizer(), example, example.output) for example in examples]


@pytest.fixture
def model() -> Lm:
    """The tiny base."""
    return Lm(tiny.model(), tiny.tokenizer())


@pytest.fixture(scope="module")
def random_one(tmp_path_factory: pytest.TempPathFactory) -> Factors:
    """A random adapter of rank 4 on q and v, with a scaling of 2."""
    return read_factors(tiny.lora(tmp_path_factory.mktemp("random") / "lora", seed=1))


def test_an_adapter_that_knows_the_task_wins_though_its_answers_have_another_form(model: Lm, tmp_path: Path) -> None:
    """All answer nothing right and explain nothing; after a few steps the one that knows left from right is ahead."""
    adapters = {
        "solver": read_factors(world.solver(tmp_path / "solver")),
        "wide": read_factors(tiny.lora(tmp_path / "wide", seed=1, r=16, target_modules="all-linear")),
        "narrow": read_factors(tiny.lora(tmp_path / "narrow", seed=2)),
        "fresh": fresh(model.model, ALL, 16, seed=0),
    }
    found = {}
    for name, factors in adapters.items():
        with applied(model.model, factors):
            plain = examine(model, shots(), "exact_match", max_new_tokens=12)[0]
        assert plain.values == (0.0,) * 16
        assert fmean(plain.nlls) > math.log(258)
        found[name] = fmean(adapted_nlls(model, factors, encode(shots()), BRISK, seed=0))
    assert min(found, key=lambda name: found[name]) == "solver"


def one_at_a_time(factors: Factors, encoded: list[Encoded], adaptation: Adaptation, *, seed: int) -> list[float]:
    """The same with PEFT's LoRA: no batches, no padding, no shared beginning; one step an epoch."""
    nlls = [0.0] * len(encoded)
    for fold in folds(len(encoded), adaptation.folds, seed=seed):
        base = tiny.model()
        begun = start(base, factors, adaptation.max_rank)
        peft_model = get_peft_model(base, LoraConfig(r=4, lora_alpha=4, target_modules=["q_proj", "v_proj"]))
        for name, parameter in peft_model.named_parameters():
            if parameter.requires_grad:
                module, _, part = name.removeprefix("base_model.model.").rpartition(".lora_")
                parameter.data = (begun.a if part.startswith("A") else begun.b)[module].detach().clone()
        learned = [parameter for parameter in peft_model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(learned, lr=adaptation.learning_rate, weight_decay=1e-4)
        others = [e for i, e in enumerate(encoded) if i not in fold]
        tokens = sum(len(e.answer) for e in others)
        for _ in range(adaptation.epochs):
            optimizer.zero_grad()
            for e in others:
                (sum_nll(peft_model, e) / tokens).backward()
            optimizer.step()
        for i in fold:
            nlls[i] = sum_nll(peft_model, encoded[i]).item() / len(encoded[i].answer)
    return nlls


def sum_nll(peft_model: nn.Module, example: Encoded) -> torch.Tensor:
    logits = peft_model(torch.tensor([[*example.prompt, *example.answer]])).logits[0].log_softmax(-1)
    places = range(len(example.prompt) - 1, len(example.prompt) + len(example.answer) - 1)
    return -torch.stack([logits[place, token] for place, token in zip(places, example.answer, strict=True)]).sum()


@pytest.mark.parametrize("several", [2, 3])
def test_it_is_what_peft_does_one_example_at_a_time(model: Lm, random_one: Factors, several: int) -> None:
    """Batches, padding, the shared beginning and hooks change nothing, with outputs of different lengths."""
    examples = [e.model_copy(update={"output": e.output * (i % 3 + 1)}) for i, e in enumerate(shots())]
    adaptation = replace(BRISK, folds=several, batch_size=len(examples))
    got = adapted_nlls(model, random_one, encode(examples), adaptation, seed=3)
    assert got == pytest.approx(one_at_a_time(random_one, encode(examples), adaptation, seed=3), rel=2e-3)


def test_without_steps_it_is_the_mean_nll(model: Lm, random_one: Factors) -> None:
    """What is measured is what perplexity is made of."""
    encoded = encode(shots())
    with applied(model.model, random_one):
        plain = lm.mean_nll(model, encoded)
    assert adapted_nlls(model, random_one, encoded, replace(BRISK, epochs=0), seed=0) == pytest.approx(plain, rel=1e-4)


def test_a_batch_beyond_the_budget_of_tokens_takes_one_step_too(model: Lm, random_one: Factors) -> None:
    """In parts or at once: the same gradient. Rows beyond 300 tokens do not fit the budget of 2,048 together."""
    encoded = encode([e.model_copy(update={"instruction": str(i % 10) * 300}) for i, e in enumerate(shots())])
    assert shared(model, encoded) < 10
    adaptation = replace(BRISK, batch_size=len(encoded))
    got = adapted_nlls(model, random_one, encoded, adaptation, seed=0)
    assert got == pytest.approx(one_at_a_time(random_one, encoded, adaptation, seed=0), rel=2e-3)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 99))
def test_every_shot_is_held_out_exactly_once(count: int, wanted: int, seed: int) -> None:
    """The folds are even, none is empty, and they follow from the seed."""
    dealt = folds(count, wanted, seed=seed)
    assert sorted(i for fold in dealt for i in fold) == list(range(count))
    assert len(dealt) == min(wanted, count)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    assert dealt == folds(count, wanted, seed=seed)


def test_the_base_is_left_as_it_was(model: Lm, random_one: Factors) -> None:
    """Bit for bit, with its gradient flags, without gradients and hooks; the adapter is unchanged as well."""
    for index, parameter in enumerate(model.model.parameters()):
        parameter.requires_grad_(index % 2 == 0)
    before = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
    flags = [parameter.requires_grad for parameter in model.model.parameters()]
    kept = {name: tensor.clone() for name, tensor in random_one.a.items()}
    adapted_nlls(model, random_one, encode(shots()), BRISK, seed=0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.model.state_dict().items())
    assert [parameter.requires_grad for parameter in model.model.parameters()] == flags
    assert all(parameter.grad is None for parameter in model.model.parameters())
    assert not any(module._forward_hooks for module in model.model.modules())
    assert all(torch.equal(tensor, kept[name]) for name, tensor in random_one.a.items())


def test_equal_seeds_give_equal_numbers_and_others_do_not(model: Lm, random_one: Factors) -> None:
    """Also after something else was measured, and whatever the global generator's state is."""
    encoded = encode(shots())
    first = adapted_nlls(model, random_one, encoded, BRISK, seed=0)
    adapted_nlls(model, fresh(model.model, ("q_proj",), 2, seed=0), encoded, BRISK, seed=0)
    torch.manual_seed(77)
    assert adapted_nlls(model, random_one, encoded, BRISK, seed=0) == first
    assert adapted_nlls(model, random_one, encoded, BRISK, seed=1) != first


def test_the_start_is_the_adapter_itself_up_to_the_largest_rank(model: Lm, random_one: Factors) -> None:
    """BA is kept where the rank allows it, else the best approximation; A's rows are as long as a fresh LoRA's."""
    for most in (8, 4, 2):
        begun = start(model.model, random_one, most)
        for module, a in random_one.a.items():
            wanted = random_one.b[module].double() @ a.double()
            u, s, vt = torch.linalg.svd(wanted)
            best = (u[:, :most] * s[:most]) @ vt[: len(s)][:most]
            got = begun.b[module].detach().double() @ begun.a[module].detach().double()
            assert begun.a[module].shape[0] == min(most, 4)
            assert tiny.error(got, best) < 1e-6
            assert (tiny.error(got, wanted) < 1e-6) == (most >= 4)
            assert begun.a[module].norm(dim=1).tolist() == pytest.approx([3**-0.5] * min(most, 4), rel=1e-5)


def test_only_the_product_counts(model: Lm, random_one: Factors) -> None:
    """The same BA from other factors, scaled and mixed, gives the same numbers."""
    torch.manual_seed(0)
    mix = torch.linalg.qr(torch.randn(4, 4))[0] * torch.tensor([100.0, 1.0, 0.1, 3.0])
    other = Factors(
        {module: torch.linalg.inv(mix) @ a for module, a in random_one.a.items()},
        {module: b @ mix for module, b in random_one.b.items()},
    )
    got = adapted_nlls(model, other, encode(shots()), BRISK, seed=0)
    assert got == pytest.approx(adapted_nlls(model, random_one, encode(shots()), BRISK, seed=0), rel=1e-3)


def test_a_fresh_lora_changes_nothing_until_it_learns(model: Lm) -> None:
    """Its B is zero, its A is not, so the first step finds gradients."""
    encoded, made = encode(shots()), fresh(model.model, ("q_proj", "down_proj"), 3, seed=0)
    assert sorted(made.suffixes) == ["down_proj", "q_proj"]
    assert len(made.a) == 4
    unlearned = adapted_nlls(model, made, encoded, replace(BRISK, epochs=0), seed=0)
    assert unlearned == pytest.approx(lm.mean_nll(model, encoded), rel=1e-4)
    assert fmean(adapted_nlls(model, made, encoded, BRISK, seed=0)) < fmean(unlearned) - 0.5


@pytest.mark.parametrize("size", [1e18, 3e38])
def test_what_leads_to_no_number_gives_no_number(model: Lm, random_one: Factors, size: float) -> None:
    """Weights beyond what float32 can multiply: NaN for every shot, and the base goes on working."""
    before = lm.mean_nll(model, encode(shots()))
    hostile = Factors({m: torch.full_like(a, size) for m, a in random_one.a.items()}, random_one.b)
    hostile = Factors(hostile.a, {m: torch.full_like(b, size) for m, b in random_one.b.items()})
    assert all(math.isnan(nll) for nll in adapted_nlls(model, hostile, encode(shots()), BRISK, seed=0))
    assert lm.mean_nll(model, encode(shots())) == before


def test_one_shot_cannot_be_cross_fitted(model: Lm, random_one: Factors) -> None:
    """There is nothing to learn from; with two shots there is."""
    with pytest.raises(HubExpertError, match="two shots"):
        adapted_nlls(model, random_one, encode(shots()[:1]), BRISK, seed=0)
    assert all(math.isfinite(nll) for nll in adapted_nlls(model, random_one, encode(shots()[:2]), BRISK, seed=0))


def test_adapting_many_keeps_nothing(model: Lm, random_one: Factors) -> None:
    """As many tensors live after the fourth adapter as after the first."""

    def living() -> int:
        gc.collect()
        return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())

    encoded, counts = encode(shots()), []
    for seed in range(4):
        adapted_nlls(model, random_one, encoded, BRISK, seed=seed)
        counts.append(living())
    assert counts[1:] == counts[:-1]


class Rounded(nn.Module):
    """A linear layer that keeps its weight in 8 bits, as quantised bases do."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        weight = layer.weight.detach()
        self.scale = float(weight.abs().max()) / 127
        self.weight = nn.Parameter((weight / self.scale).round().to(torch.int8), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.weight.to(x.dtype) * self.scale)


def test_a_quantised_base_is_adapted_too(random_one: Factors) -> None:
    """Hooks add to what the layer gives, so it does not matter how it keeps its weight; nor does bfloat16."""
    made = tiny.model().bfloat16()
    for layer in made.model.layers:
        layer.self_attn.q_proj = Rounded(layer.self_attn.q_proj)
        layer.self_attn.v_proj = Rounded(layer.self_attn.v_proj)
    model, encoded = Lm(made, tiny.tokenizer()), encode(shots())
    unlearned = adapted_nlls(model, random_one, encoded, replace(BRISK, epochs=0), seed=0)
    learned = adapted_nlls(model, random_one, encoded, replace(BRISK, epochs=8), seed=0)
    assert fmean(learned) < fmean(unlearned) - 0.5


def test_what_is_learned_stays_in_the_factors_given_back(model: Lm, random_one: Factors) -> None:
    """They ask for no gradients, and applied to the base they explain the examples better than what they came from."""
    encoded = encode(shots())
    trained = adapt(model, random_one, encoded, BRISK, begins=shared(model, encoded), seed=0)
    assert not any(tensor.requires_grad for tensor in (*trained.a.values(), *trained.b.values()))
    with applied(model.model, trained):
        after = fmean(lm.mean_nll(model, encoded))
    with applied(model.model, random_one):
        assert after < fmean(lm.mean_nll(model, encoded)) - 0.5
