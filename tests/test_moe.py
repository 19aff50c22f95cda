"""The mixture against slow, obvious references: PEFT's own sum of adapters, a loop over experts and tokens."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from hubexpert.errors import HubExpertError
from hubexpert.factors import UnusableError, check_fit, read_factors
from hubexpert.lm import Encoded, Lm
from hubexpert.moe.adapter import attach, gated_layers, load, save, static
from hubexpert.moe.gate import GatedLinear, dropped, gates
from hubexpert.moe.initial import random_routers
from hubexpert.moe.listen import fold_means, mean_gates
from hubexpert.moe.router import read_router
from hubexpert.moe.widen import linears, padded, widen
from hubexpert.records import Source
from hubexpert.slots import applied
from tests import tiny
from tests.tiny import error, logits

ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"r": 4, "lora_alpha": 4},
    "alpha": {"r": 8, "lora_alpha": 32},
    "rslora": {"r": 16, "lora_alpha": 8, "use_rslora": True},
    "all-linear": {"r": 4, "lora_alpha": 8, "target_modules": ALL_LINEAR},
    "patterns": {
        "r": 4,
        "lora_alpha": 8,
        "rank_pattern": {"q_proj": 2},
        "alpha_pattern": {"layers.1.self_attn.v_proj": 3},
    },
}
EXPERTS = [Source(repo=f"tester/{kind}", revision="0" * 40) for kind in KINDS]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One adapter of every kind."""
    root = tmp_path_factory.mktemp("adapters")
    return [tiny.lora(root / kind, seed=seed, **settings) for seed, (kind, settings) in enumerate(KINDS.items())]


@pytest.fixture
def ids() -> torch.Tensor:
    """A batch of token ids [3, 11]."""
    return torch.randint(0, 256, (3, 11), generator=torch.Generator().manual_seed(5))


def mixture(folders: list[Path], *, shared_rank: int = 0, top_k: int = 2) -> tuple[Any, Any]:
    base = tiny.model()
    factors = [read_factors(folder) for folder in folders]
    layers = linears(base, {suffix for f in factors for suffix in f.suffixes})
    wide = widen(factors, layers, shared_rank=shared_rank, seed=1)
    return attach(base, wide, random_routers(wide, seed=1), top_k=top_k), base


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=list(KINDS))
def test_applied_factors_equal_the_adapter_under_peft(kind: int, folders: list[Path], ids: torch.Tensor) -> None:
    """Folding alpha, rslora and patterns into B changes nothing."""
    wanted = logits(PeftModel.from_pretrained(tiny.model(), str(folders[kind])), ids)
    base = tiny.model()
    plain = logits(base, ids)
    with applied(base, read_factors(folders[kind])):
        assert error(logits(base, ids), wanted) < 1e-5
    assert torch.equal(logits(base, ids), plain)
    assert error(plain, wanted) > 1e-2


def test_static_wide_lora_equals_the_sum_of_the_experts_under_peft(folders: list[Path], ids: torch.Tensor) -> None:
    """Experts of any rank, target and scaling: PEFT with all of them active gives the same logits."""
    reference = PeftModel.from_pretrained(tiny.model(), str(folders[0]), adapter_name="expert-a")
    names = ["expert-a"]
    for index, folder in enumerate(folders[1:]):
        names.append(f"expert-{chr(98 + index)}")
        reference.load_adapter(str(folder), adapter_name=names[-1])
    reference.base_model.set_adapter(names)
    model, _ = mixture(folders)
    with static(model):
        assert error(logits(model, ids), logits(reference, ids)) < 1e-5


def test_one_expert_with_gate_one_equals_that_expert(folders: list[Path], ids: torch.Tensor) -> None:
    """With one expert the softmax over one logit is 1, whatever the router says."""
    for folder in folders:
        model, _ = mixture([folder])
        assert error(logits(model, ids), logits(PeftModel.from_pretrained(tiny.model(), str(folder)), ids)) < 1e-5


def test_gates_agree_with_a_loop_over_tokens() -> None:
    """Softmax over the top k logits, zero elsewhere."""
    generator = torch.Generator().manual_seed(0)
    x, router = torch.randn(2, 5, 8, generator=generator), torch.randn(6, 8, generator=generator)
    for top_k in (1, 2, 3, 6, 9):
        got = gates(x @ router.T, top_k)
        for token, gate in zip(x.reshape(-1, 8), got.reshape(-1, 6), strict=True):
            scores = [float(row @ token) for row in router]
            best = sorted(range(6), key=lambda i: -scores[i])[:top_k]
            total = sum(torch.exp(torch.tensor(scores[i])) for i in best)
            wanted = [float(torch.exp(torch.tensor(scores[i])) / total) if i in best else 0.0 for i in range(6)]
            assert gate.tolist() == pytest.approx(wanted, abs=1e-6)


def test_silenced_experts_add_nothing_and_the_others_keep_their_gates(folders: list[Path]) -> None:
    """The layer without an expert is the sum of the others' terms, with the gates they have in the whole mixture."""
    model, _ = mixture(folders, shared_rank=3)
    gate, b = gated_layers(model)["model.layers.0.self_attn.v_proj"]
    torch.nn.init.normal_(b.weight, std=0.2)
    x = torch.randn(5, gate.in_features)
    terms = []
    for owner in range(len(folders) + 1):
        columns = (gate.owner == owner).float()
        weight = gates(x @ gate.router.T, 2)[:, owner, None] if owner < len(folders) else 1.0
        terms.append(weight * ((x @ gate.weight.T * columns) @ b.weight.T))
    with torch.no_grad():
        for silent in ((), (0,), (1, 3), range(len(folders))):
            gate.silence(silent)
            wanted = sum(term for owner, term in enumerate(terms) if owner not in silent)
            assert torch.allclose(gate(x) @ b.weight.T, wanted, atol=1e-5)


def test_dropout_of_experts_is_drawn_for_every_sequence_and_ends_with_training() -> None:
    """A dropped expert is gone from the whole sequence; at least one stays."""
    torch.manual_seed(0)
    logits = torch.randn(400, 3, 4)
    out = dropped(logits, 0.7)
    assert out.shape == (400, 1, 4)
    assert not out.all(-1).any()
    assert abs(out.float().mean() - (0.7 - 0.7**4)) < 0.06  # none is dropped where all would be
    owner = torch.tensor([0, 1, 2, 3])
    gate = GatedLinear(torch.randn(4, 8), torch.randn(4, 8), owner, torch.ones(4), 2)
    gate.dropout = 0.5
    x = torch.randn(6, 3, 8)
    gate.train()
    assert not torch.equal(gate.gate(x), gate.gate(x))
    assert torch.allclose(gate.gate(x).sum(-1), torch.ones(6, 3))
    gate.eval()
    assert torch.equal(gate.gate(x), gates(x @ gate.router.T, 2))


def test_routed_layer_agrees_with_a_loop_over_experts(folders: list[Path]) -> None:
    """The layer gives W x + Σᵢ gateᵢ(x) Bᵢ Aᵢ x + B_shared A_shared x, expert by expert and token by token."""
    model, _ = mixture(folders, shared_rank=3)
    for _, b in gated_layers(model).values():
        torch.nn.init.normal_(b.weight, std=0.2)
    layer = model.get_submodule("base_model.model.model.layers.1.self_attn.q_proj")
    gate, b = layer.lora_A["default"], layer.lora_B["default"]
    model.requires_grad_(False)
    x = torch.randn(2, 4, gate.in_features)
    wanted = layer.base_layer(x)
    for row in range(2):
        for position in range(4):
            token = x[row, position]
            weights = [*gates(gate.router @ token, 2).tolist(), 1.0]
            for owner, weight in enumerate(weights):
                columns = [i for i, who in enumerate(gate.owner.tolist()) if who == owner]
                wanted[row, position] += weight * (b.weight[:, columns] @ (gate.weight[columns] @ token))
    assert error(layer(x), wanted) < 1e-5


def test_disabling_the_adapter_gives_the_base(folders: list[Path], ids: torch.Tensor) -> None:
    """PEFT's own switch works on the gated LoRA."""
    model, _ = mixture(folders, shared_rank=2)
    with model.disable_adapter():
        assert torch.equal(logits(model, ids), logits(tiny.model(), ids))


def test_unloading_gives_the_base_back(folders: list[Path], ids: torch.Tensor) -> None:
    """After `unload` the base computes what it did, and can carry another mixture."""
    model, base = mixture(folders)
    model.unload()
    assert torch.equal(logits(base, ids), logits(tiny.model(), ids))


@pytest.mark.parametrize("shared_rank", [0, 3])
def test_folding_keeps_the_routed_form_and_makes_the_static_one_the_mean(
    shared_rank: int, folders: list[Path], ids: torch.Tensor
) -> None:
    """The router divides by what B was multiplied with; the static form is each expert times its mean gate."""
    model, _ = mixture(folders, shared_rank=shared_rank)
    before = logits(model, ids)
    encoded = [Encoded(tuple(row[:6]), tuple(row[6:])) for row in ids.tolist()]
    means = mean_gates(Lm(model, tiny.tokenizer()), encoded)
    assert all(float(mean.sum()) == pytest.approx(1, abs=1e-5) for mean in means.values())
    columns = {m: b.weight.detach().clone() for m, (_, b) in gated_layers(model).items()}
    fold_means(model, means)
    assert error(logits(model, ids), before) < 1e-5
    for module, (gate, b) in gated_layers(model).items():
        for column, owner in enumerate(gate.owner.tolist()):
            factor = max(float(means[module][owner]), 1e-4) if owner < len(folders) else 1.0
            assert torch.allclose(b.weight[:, column], columns[module][:, column] * factor, rtol=1e-5)


def test_saved_mixture_loads_routed_here_and_static_in_plain_peft(
    folders: list[Path], ids: torch.Tensor, tmp_path: Path
) -> None:
    """Routed logits survive save and load; plain PEFT gets the static form, and nothing unexpected in the file."""
    model, _ = mixture(folders, shared_rank=2)
    fold_means(
        model,
        mean_gates(Lm(model, tiny.tokenizer()), [Encoded(tuple(row[:6]), tuple(row[6:])) for row in ids.tolist()]),
    )
    save(model, tmp_path, base=tiny.BASE, experts=EXPERTS)
    routed = logits(model, ids)
    with static(model):
        merged = logits(model, ids)
    assert error(logits(load(tmp_path, base=tiny.model()), ids), routed) < 1e-6
    assert error(logits(PeftModel.from_pretrained(tiny.model(), str(tmp_path)), ids), merged) < 1e-6
    assert error(logits(load(tmp_path, base=tiny.model(), routed=False), ids), merged) < 1e-6
    assert error(merged, routed) > 1e-3


def test_padding_to_one_rank_changes_nothing(folders: list[Path]) -> None:
    """Readers that ignore `rank_pattern` see the same product."""
    base = tiny.model()
    factors = [read_factors(folder) for folder in folders]
    wide = widen(factors, linears(base, ALL_LINEAR), shared_rank=2, seed=0)
    even = padded(wide)
    assert {a.shape[0] for a in even.a.values()} == {wide.rank}
    for module in wide.a:
        assert torch.allclose(even.b[module] @ even.a[module], wide.b[module] @ wide.a[module], atol=1e-6)


def test_rank_pattern_is_used_only_where_padding_would_double_the_file(tmp_path: Path, ids: torch.Tensor) -> None:
    """One expert with a high rank on few modules, one on all: padding would waste more than it saves."""
    narrow = tiny.lora(tmp_path / "narrow", seed=0, r=24, target_modules=["q_proj"])
    broad = tiny.lora(tmp_path / "broad", seed=1, r=1, target_modules=ALL_LINEAR)
    model, _ = mixture([narrow, broad])
    out = tmp_path / "out"
    out.mkdir()
    assert save(model, out, base=tiny.BASE, experts=EXPERTS[:2])
    with static(model):
        merged = logits(model, ids)
    assert error(logits(PeftModel.from_pretrained(tiny.model(), str(out)), ids), merged) < 1e-6
    assert error(logits(load(out, base=tiny.model()), ids), logits(model, ids)) < 1e-6


def test_generation_with_a_cache_equals_generation_without(folders: list[Path], ids: torch.Tensor) -> None:
    """One pass and token-wise gates: the key-value cache is right, also with beams."""
    model, _ = mixture(folders, shared_rank=2)
    for settings in ({"num_beams": 1}, {"num_beams": 3}):
        with torch.inference_mode():
            cached = model.generate(input_ids=ids, max_new_tokens=6, do_sample=False, pad_token_id=257, **settings)
            plain = model.generate(
                input_ids=ids, max_new_tokens=6, do_sample=False, pad_token_id=257, use_cache=False, **settings
            )
        assert torch.equal(cached, plain)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda t: t * 1e38 * 1e3, "nan-weights"),
        (lambda t: t * float("nan"), "nan-weights"),
        (lambda t: t * 0, "no-op"),
    ],
)
def test_unusable_weights_are_named(change: Any, code: str, tmp_path: Path) -> None:
    """NaN and zero updates are refused before they are applied."""
    folder = tiny.rewrite(tiny.lora(tmp_path / "a", seed=0), change)
    with pytest.raises(UnusableError) as caught:
        read_factors(folder)
    assert caught.value.code == code


def test_a_truncated_file_is_broken(tmp_path: Path) -> None:
    """A download cut short is refused, not crashed on."""
    folder = tiny.lora(tmp_path / "a", seed=0)
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UnusableError) as caught:
        read_factors(folder)
    assert caught.value.code == "weights-broken"


def test_a_strangers_regular_expression_is_never_run(tmp_path: Path) -> None:
    """PEFT would run the keys of `alpha_pattern`; one that is no plain name is refused instead."""
    folder = tiny.lora(tmp_path / "a", seed=0)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "alpha_pattern": {"([a-z_.0-9]+)+!": 3}}))
    with pytest.raises(UnusableError) as caught:
        read_factors(folder)
    assert caught.value.code == "weights-broken"


def test_the_share_of_a_gated_output_layer_counts_every_token(tmp_path: Path, ids: torch.Tensor) -> None:
    """An adapter on `lm_head` sees all tokens, too, when shares are measured."""
    folders = [tiny.lora(tmp_path / str(i), seed=i, target_modules=["lm_head"]) for i in range(3)]
    model, _ = mixture(folders, top_k=1)
    encoded = [Encoded(tuple(row[:6]), tuple(row[6:])) for row in ids.tolist()]
    gate = gated_layers(model)["lm_head"][0]
    seen = []
    gate.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    share = mean_gates(Lm(model, tiny.tokenizer()), encoded)["lm_head"]
    wanted = gates(torch.cat(seen) @ gate.router.T, 1).mean((0, 1))
    assert torch.allclose(share, wanted, atol=1e-5)
    assert 0 < float(share.max()) < 1


@pytest.mark.parametrize(("experts", "used"), [(1, 1), (3, 2)])
def test_no_more_experts_are_used_than_there_are(folders: list[Path], tmp_path: Path, experts: int, used: int) -> None:
    """What is saved says so: whoever holds it against the lock finds the same number."""
    model, _ = mixture(folders[:experts], top_k=2)
    save(model, tmp_path, base="b", experts=[Source(repo=f"a/{i}", revision="0" * 40) for i in range(experts)])
    weights = {module: gate.weight for module, (gate, _) in gated_layers(model).items()}
    assert read_router(tmp_path / "router.safetensors", weights).top_k == used


def test_an_adapter_of_another_size_does_not_fit(tmp_path: Path) -> None:
    """Shapes are compared with the base's before anything is applied."""
    factors = read_factors(tiny.lora(tmp_path / "a", seed=0))
    with pytest.raises(UnusableError) as caught:
        check_fit(tiny.model(hidden=64), factors)
    assert caught.value.code == "shape-mismatch"


def described(**over: Any) -> dict[str, str]:
    return {"hubexpert": json.dumps({"version": 1, "top_k": 2, "experts": [], **over})}


@pytest.mark.parametrize(
    ("change", "metadata"),
    [
        (lambda t: {k: torch.full_like(v, 99) if k.endswith(".owner") else v for k, v in t.items()}, described()),
        (lambda t: {k: v * 0 if k.endswith(".mean") else v for k, v in t.items()}, described()),
        (lambda t: {k: v * float("nan") if k.endswith(".router") else v for k, v in t.items()}, described()),
        (lambda t: {k: v for k, v in t.items() if ".layers.0." not in k}, described()),
        (lambda t: t, described(version=99)),
        (lambda t: t, described(top_k=0)),
        (lambda t: t, described(top_k="x")),
        (lambda t: t, {"hubexpert": "[]"}),
        (lambda t: t, {"other": "x"}),
    ],
    ids=["owner", "mean", "nan", "half", "version", "zero", "text", "list", "missing"],
)
def test_a_router_that_does_not_fit_is_an_error_with_a_fix(
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
    metadata: dict[str, str],
    folders: list[Path],
    tmp_path: Path,
) -> None:
    """A stranger's router is checked before it is attached."""
    model, _ = mixture(folders)
    save(model, tmp_path, base=tiny.BASE, experts=EXPERTS)
    save_file(change(load_file(tmp_path / "router.safetensors")), tmp_path / "router.safetensors", metadata=metadata)
    with pytest.raises(HubExpertError) as caught:
        load(tmp_path, base=tiny.model())
    assert "routed=False" in caught.value.fix
    load(tmp_path, base=tiny.model(), routed=False)


@pytest.mark.parametrize("change", [{"peft_type": "FOO"}, {"r": 3}])
def test_an_adapter_that_peft_cannot_load_is_an_error_with_a_fix(
    change: dict[str, Any], folders: list[Path], tmp_path: Path
) -> None:
    """What PEFT raises for a stranger's configuration is told in a sentence."""
    model, _ = mixture(folders)
    save(model, tmp_path, base=tiny.BASE, experts=EXPERTS)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(HubExpertError, match="does not fit its base"):
        load(tmp_path, base=tiny.model())
