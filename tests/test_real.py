"""The real base and the real bank: what the tiny models promise holds for SmolLM2 (minutes; `make test-slow`)."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from hubexpert.demo import convert_base
from hubexpert.factors import read_factors
from hubexpert.lm import Lm, load_lm
from hubexpert.moe.adapter import attach, static
from hubexpert.moe.initial import random_routers
from hubexpert.moe.widen import linears, widen
from hubexpert.slots import applied
from tests.tiny import error, logits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
BANK = Path(__file__).parents[1] / "examples" / "bank"
MIXED = ("strategyqa-r4", "p3-instruct-r8", "banking77-r16", "aqua-r8")  # ranks 4, 8, 16; q,v to all linear; rslora


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2-135M-Instruct as safetensors."""
    return convert_base(tmp_path_factory.mktemp("smollm2") / "base")


@pytest.fixture
def lm(folder: Path) -> Lm:
    """The base, freshly loaded."""
    return load_lm(folder, device="cpu")


@pytest.fixture
def ids(lm: Lm) -> torch.Tensor:
    """A few dozen tokens of English, [1, tokens]."""
    text = "Name the topic of the message.\nhow much is the annual fee on my card, and when do i have to pay it?"
    return torch.tensor([lm.tokenizer(text).input_ids])


@pytest.mark.parametrize("name", sorted(path.parent.name for path in BANK.glob("*/adapter_config.json")))
def test_every_adapter_of_the_bank_does_what_it_does_under_peft(name: str, lm: Lm, ids: torch.Tensor) -> None:
    """Scored by hooks or loaded by PEFT: the same logits."""
    plain = logits(lm.model, ids)
    with applied(lm.model, read_factors(BANK / name)):
        ours = logits(lm.model, ids)
    assert torch.equal(logits(lm.model, ids), plain)
    theirs = logits(PeftModel.from_pretrained(lm.model, str(BANK / name)), ids)
    assert error(ours, theirs) < 1e-5
    assert error(ours, plain) > 1e-3


def test_the_wide_lora_is_the_sum_of_mixed_experts(lm: Lm, ids: torch.Tensor) -> None:
    """Ranks 4, 8 and 16, q,v and all linear layers, rslora, alpha twice the rank: PEFT with all of them active."""
    factors = [read_factors(BANK / name) for name in MIXED]
    layers = linears(lm.model, {suffix for f in factors for suffix in f.suffixes})
    wide = widen(factors, layers, shared_rank=16, seed=0)
    mixture = attach(lm.model, wide, random_routers(wide, seed=0), top_k=2)
    with static(mixture):
        ours = logits(mixture, ids)
    base = mixture.unload()
    reference = PeftModel.from_pretrained(base, str(BANK / MIXED[0]), adapter_name="expert-a")
    for letter, name in zip("bcd", MIXED[1:], strict=True):
        reference.load_adapter(str(BANK / name), adapter_name=f"expert-{letter}")
    reference.base_model.set_adapter([f"expert-{letter}" for letter in "abcd"])
    assert error(ours, logits(reference, ids)) < 1e-5


def test_an_adapter_can_be_trained_again(folder: Path, tmp_path: Path) -> None:
    """The example script makes an adapter that PEFT loads and that changes the base."""
    script = BANK.parent / "retrain.py"
    arguments = ["snips-intent-r8", "--base", str(folder), "--out", str(tmp_path / "out"), "--rows", "16"]
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mean loss" in done.stdout
    assert read_factors(tmp_path / "out").rank == 8
