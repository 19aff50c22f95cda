"""The published mixture runs wherever its base does: generation, caches, compilers, checkpointing, other loaders."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import AutoModelForCausalLM

import hubexpert
from hubexpert import lm
from hubexpert.factors import Factors
from hubexpert.lm import Lm
from hubexpert.moe.adapter import attach, load, save, static
from hubexpert.moe.gate import GatedLinear
from hubexpert.moe.initial import random_routers
from hubexpert.moe.listen import fold_means, mean_gates
from hubexpert.moe.widen import linears, widen
from hubexpert.recipe import Quantization, TrainSection
from hubexpert.records import Example
from hubexpert.train import train, trainable
from tests import tiny
from tests.mixtures import EXPERTS, Published, load_base, publish, token_ids
from tests.tiny import error, logits

NEW = 8


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A mixture in a folder, whose configuration names its base."""
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def routed(published: Published) -> PeftModel:
    """The mixture as a user loads it; tests leave it as it is."""
    return hubexpert.load(published.folder)


@pytest.fixture(scope="module")
def merged(published: Published) -> torch.Tensor:
    """The logits of the static form."""
    return logits(load(published.folder, routed=False), token_ids())


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    yield
    torch._dynamo.reset()


def generated(model: Any, ids: torch.Tensor, **settings: Any) -> torch.Tensor:
    """The new tokens [rows, NEW]."""
    with torch.inference_mode():
        whole = model.generate(
            input_ids=ids, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False, pad_token_id=257, **settings
        )
    return whole[:, ids.shape[1] :]


def quantised(folder: Path, quantize: Quantization) -> Lm:
    """A tiny base in 4 or 8 bits on the CPU."""
    tiny.model(hidden=64).save_pretrained(folder / "base")  # 4-bit blocks have 64 weights
    tiny.tokenizer().save_pretrained(folder / "base")
    return lm.load_lm(folder / "base", device="cpu", quantize=quantize)


def lora_on(base: Any, *, experts: int) -> PeftModel:
    """A mixture of random experts of rank 4 on a base that may be quantised."""
    layers = linears(base, ["q_proj", "v_proj", "down_proj"])
    generator = torch.Generator().manual_seed(0)
    factors = [
        Factors(
            {m: torch.randn(4, inside, generator=generator) for m, (inside, _) in layers.items()},
            {m: torch.randn(outside, 4, generator=generator) * 0.1 for m, (_, outside) in layers.items()},
        )
        for _ in range(experts)
    ]
    wide = widen(factors, layers, shared_rank=2, seed=0)
    return attach(base, wide, random_routers(wide, seed=0), top_k=2)


def test_greedy_generation_is_the_likeliest_token_step_by_step(routed: PeftModel) -> None:
    """What `generate` gives with its cache is the argmax of a full forward over all that came before."""
    ids = token_ids()
    with torch.inference_mode():
        for _ in range(NEW):
            last = routed(ids, use_cache=False).logits[:, -1]
            last[:, 257] = -torch.inf  # the token that ends: `min_new_tokens` forbids it
            ids = torch.cat([ids, last.argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(generated(routed, token_ids()), ids[:, 11:])
    assert not torch.equal(generated(routed, token_ids()), generated(tiny.model(), token_ids()))


@pytest.mark.parametrize("beams", [1, 3])
def test_rows_padded_on_the_left_are_generated_as_they_are_alone(beams: int, routed: PeftModel) -> None:
    """A neighbour's length changes nothing, for greedy and for beam search."""
    rows = [token_ids(rows=1, length=length, seed=length)[0] for length in (3, 12, 7)]
    batch = lm.left_padded([row.tolist() for row in rows], 257, torch.device("cpu"))
    together = generated(routed, batch["input_ids"], attention_mask=batch["attention_mask"], num_beams=beams)
    for row, new in zip(rows, together, strict=True):
        assert torch.equal(generated(routed, row[None], num_beams=beams)[0], new)


def test_beam_search_needs_no_cache(routed: PeftModel) -> None:
    """Reordering the cache's rows between beams is right, and beams find what greedy search does not."""
    wide = generated(routed, token_ids(), num_beams=4)
    assert torch.equal(wide, generated(routed, token_ids(), num_beams=4, use_cache=False))
    assert not torch.equal(wide, generated(routed, token_ids()))


@pytest.mark.parametrize("form", [True, False], ids=["routed", "static"])
def test_logits_from_the_cache_are_those_of_a_full_forward(form: bool, published: Published) -> None:
    """Token by token, or in pieces: gates look at nothing but the token in hand."""
    model, ids = load(published.folder, routed=form), token_ids()
    wanted, cache, got = logits(model, ids), None, []
    with torch.inference_mode():
        for piece in ids.split([4, 1, 1, 5], dim=1):
            out = model(piece, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            got.append(out.logits.double())
    assert error(torch.cat(got, dim=1), wanted) < 1e-5


def test_the_gate_compiles_into_one_graph() -> None:
    """No graph break, whatever the number of tokens, routed and static."""
    torch.manual_seed(0)
    gate = GatedLinear(torch.randn(6, 8), torch.randn(3, 8), torch.tensor([0, 0, 1, 2, 2, 3]), torch.rand(3) + 0.1, 2)
    compiled = torch.compile(gate, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        for tokens in (5, 1, 9):
            x = torch.randn(2, tokens, 8)
            for form in (True, False):
                gate.routed = form
                assert torch.allclose(compiled(x), gate(x), atol=1e-6)


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_compiled_mixture_gives_the_same_logits(backend: str, published: Published) -> None:
    """One graph for the whole model, PEFT's layers included."""
    model, ids = load(published.folder), token_ids()
    wanted = logits(model, ids)
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    with torch.no_grad():
        assert error(compiled(ids, use_cache=False).logits.double(), wanted) < 1e-5


def test_gradients_with_checkpointing_are_those_without(published: Published) -> None:
    """Activations that are computed again in the backward pass lead to the same gradients, for routers and experts."""
    found = []
    for checkpointing in (False, True):
        model = load(published.folder).train()
        trainable(model, ("router", "experts"))
        if checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            assert model.is_gradient_checkpointing
        ids = token_ids()
        model(ids, labels=ids, use_cache=False).loss.backward()
        found.append({name: p.grad for name, p in model.named_parameters() if p.requires_grad})
    plain, again = found
    assert plain.keys() == again.keys()
    assert any(name.endswith("router") for name in plain)
    for name, gradient in plain.items():
        assert gradient.abs().sum() > 0, name
        assert error(again[name].double(), gradient.double()) < 1e-5


def test_plain_peft_reads_the_static_mixture(published: Published, merged: torch.Tensor) -> None:
    """Both of PEFT's loaders, without hubexpert."""
    given = PeftModel.from_pretrained(load_base(published), str(published.folder))
    assert error(logits(given, token_ids()), merged) < 1e-5
    itself = AutoPeftModelForCausalLM.from_pretrained(published.folder, dtype=torch.float32)
    assert error(logits(itself, token_ids()), merged) < 1e-5


def test_plain_transformers_reads_the_static_mixture(published: Published, merged: torch.Tensor) -> None:
    """`load_adapter`, and `from_pretrained` of the adapter's folder, which finds the base by itself."""
    model = load_base(published)
    model.load_adapter(str(published.folder))
    assert error(logits(model, token_ids()), merged) < 1e-5
    model.disable_adapters()
    assert error(logits(model, token_ids()), logits(tiny.model(), token_ids())) < 1e-6
    itself = AutoModelForCausalLM.from_pretrained(published.folder, dtype=torch.float32).eval()
    assert error(logits(itself, token_ids()), merged) < 1e-5


def test_the_static_form_is_neither_the_routed_one_nor_the_base(routed: PeftModel, merged: torch.Tensor) -> None:
    """The comparisons above compare different things."""
    assert error(logits(routed, token_ids()), merged) > 1e-3
    assert error(logits(tiny.model(), token_ids()), merged) > 1e-2


def test_a_disabled_mixture_is_the_base(routed: PeftModel) -> None:
    """Logits and generation; and the mixture is back when the block ends."""
    before = logits(routed, token_ids())
    with routed.disable_adapter():
        assert torch.equal(logits(routed, token_ids()), logits(tiny.model(), token_ids()))
        assert torch.equal(generated(routed, token_ids()), generated(tiny.model(), token_ids()))
    assert torch.equal(logits(routed, token_ids()), before)


@pytest.mark.parametrize("quantize", ["4bit", "8bit"])
def test_a_quantised_base_lets_gradients_through_after_it_has_been_read(quantize: Quantization, tmp_path: Path) -> None:
    """Scoring comes before training on the same base; on the way it must not be changed into one for inference only."""
    pytest.importorskip("bitsandbytes")
    found = []
    for read_before in (False, True):
        base = quantised(tmp_path, quantize)
        if read_before:
            logits(base.model, token_ids())
        model = lora_on(base.model, experts=2)
        model.train()
        model(token_ids(), labels=token_ids(), use_cache=False).loss.backward()
        found.append({name: p.grad for name, p in model.named_parameters() if p.requires_grad})
    assert all(gradient is not None for gradient in found[0].values())
    assert all(error(found[1][name].double(), gradient.double()) < 1e-6 for name, gradient in found[0].items())


@pytest.mark.parametrize("quantize", ["4bit", "8bit"])
def test_a_mixture_trains_and_loads_on_a_quantised_base(quantize: Quantization, tmp_path: Path) -> None:
    """Attach, train a step, fold, save and load: every part learns, the base stays, the logits survive the file."""
    pytest.importorskip("bitsandbytes")
    base = quantised(tmp_path, quantize)
    before = logits(base.model, token_ids())
    model = lora_on(base.model, experts=2)
    trainable(model, ("router", "experts"))
    start = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    examples = [lm.encode(base.tokenizer, Example(input="x" * i, output="y"), "y") for i in range(1, 5)]
    section = TrainSection(epochs=1, batch_size=4, learning_rate=1e-2, folds=0)
    train(Lm(model, base.tokenizer), examples, section, None, seed=0, label="", quiet=True)
    after = dict(model.named_parameters())
    assert all(not torch.equal(after[name], was) for name, was in start.items())
    assert all(p.dtype == torch.float32 for p in after.values() if p.requires_grad)
    fold_means(model, mean_gates(Lm(model, base.tokenizer), examples))
    (tmp_path / "mixture").mkdir()
    save(model, tmp_path / "mixture", base=tiny.BASE, experts=EXPERTS[:2])
    routed = logits(model, token_ids())
    with static(model):
        merged = logits(model, token_ids())
    with model.disable_adapter():
        assert torch.equal(logits(model, token_ids()), before)
    for form, wanted in ((True, routed), (False, merged)):
        again = quantised(tmp_path, quantize)
        loaded = load(tmp_path / "mixture", base=again.model, routed=form)
        assert error(logits(loaded, token_ids()), wanted) < 1e-5
        assert generated(loaded, token_ids()).shape == (3, NEW)
    assert error(routed, before) > 1e-2
    assert error(routed, merged) > 1e-3
