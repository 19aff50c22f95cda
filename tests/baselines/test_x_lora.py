"""X-LoRA through PEFT: it is applied, learns, reads as one example at a time, and goes without a trace."""

from statistics import fmean

import pytest
import torch

from hubexpert.baselines.x_lora import x_lora
from hubexpert.examine import examine
from hubexpert.factors import Factors, read_factors
from hubexpert.lm import Lm, encode
from hubexpert.recipe import TrainSection
from hubexpert.records import Example
from hubexpert.slots import applied
from tests import tiny
from tests.pipeline.world import INSTRUCTION, rows, solver

SHOTS = [Example(instruction=INSTRUCTION, **row) for row in rows(8)]
LONGEST = 6


@pytest.fixture(scope="module")
def experts(tmp_path_factory: pytest.TempPathFactory) -> list[Factors]:
    """One that solves the toy task and one that harms it, of other rank, scaling and modules."""
    root = tmp_path_factory.mktemp("x-lora")
    folders = [solver(root / "solver"), tiny.lora(root / "harmful", seed=1, scale=1.0, r=8, use_rslora=True)]
    return [read_factors(folder) for folder in folders]


def opened(model: Lm, experts: list[Factors], epochs: int) -> tuple[list[float], list[float], list[str], torch.Tensor]:
    """The values and NLLs of the shots, the greedy answers one by one, and the gates of the first shot."""
    section = TrainSection(epochs=epochs, learning_rate=1e-2, batch_size=4)
    with x_lora(model, experts, SHOTS, section, seed=0, quiet=True) as routed:
        answers = examine(routed, SHOTS, "exact_match", max_new_tokens=LONGEST)[0]
        said = []
        for shot in SHOTS:
            ids = [*encode(model.tokenizer, shot, "").prompt]
            start = len(ids)
            while len(ids) < start + LONGEST and (len(ids) == start or ids[-1] not in model.ends):
                with torch.inference_mode():
                    logits = routed.model(torch.tensor([ids]), use_cache=False).logits
                ids.append(int(logits[0, -1].argmax()))
            said.append(model.tokenizer.decode(ids[start:], skip_special_tokens=True))
        gates = routed.model.base_model.get_latest_scalings()
    return list(answers.values), list(answers.nlls), said, gates


def test_a_router_trained_on_the_shots_makes_more_of_the_same_experts(experts: list[Factors]) -> None:
    """Answers are those of each whole text by itself; afterwards the base is as it was, and the next one the same."""
    model = Lm(tiny.model(), tiny.tokenizer())
    ids = torch.arange(10)[None]
    before = tiny.logits(model.model, ids)
    _, untrained, _, _ = opened(model, experts, 0)
    values, nlls, said, gates = opened(model, experts, 6)
    assert values == [float(text == shot.output) for text, shot in zip(said, SHOTS, strict=True)]
    assert gates.shape[2:] == (14, 2)  # every module of the solver, both experts
    assert torch.allclose(gates.sum(-1), torch.tensor(1.0), atol=1e-5)
    assert gates.std(1).max() > 0.1  # token by token
    assert fmean(nlls) < 0.5 * fmean(untrained)
    assert opened(model, experts, 6)[1] == nlls
    assert torch.equal(tiny.logits(model.model, ids), before)
    assert model.model.config.use_cache


def test_a_single_expert_has_all_of_the_gate(experts: list[Factors]) -> None:
    """A softmax over one is 1: X-LoRA is then that adapter, so it is applied with the right scaling."""
    model = Lm(tiny.model(), tiny.tokenizer())
    _, nlls, _, _ = opened(model, experts[:1], 0)
    with applied(model.model, experts[0]):
        alone = examine(model, SHOTS, "exact_match", max_new_tokens=LONGEST)[0]
    assert nlls == pytest.approx(alone.nlls, rel=1e-4)
