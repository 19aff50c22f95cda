"""Adapters of other types as LoRA factors: what PEFT computes with the adapter is what the factors compute."""

import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file, save_file

from hubexpert.conversion import convert
from hubexpert.factors import UnusableError
from hubexpert.kinds import CONVERTIBLE
from hubexpert.lowrank import TOLERANCE, cut
from hubexpert.slots import applied
from tests import tiny
from tests.tiny import error, logits

TARGETS = ["q_proj", "v_proj", "down_proj"]
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
Make = Callable[[], PeftConfig]


def of(config: type[PeftConfig], **fields: Any) -> Make:
    return lambda: config(target_modules=list(TARGETS), **fields)


FORMS: dict[str, Make] = {
    "adalora": of(peft.AdaLoraConfig, init_r=6, target_r=4, lora_alpha=16, total_step=10, inference_mode=True),
    "delora": of(peft.DeloraConfig, r=4, rank_pattern={"v_proj": 3}),
    "gralora": of(peft.GraloraConfig, r=4, gralora_k=4, alpha=8),
    "gralora-hybrid": of(peft.GraloraConfig, r=4, gralora_k=2, hybrid_r=3, alpha=8),
    "loha": of(peft.LoHaConfig, r=3, alpha=6),
    "loha-patterns": of(
        peft.LoHaConfig, r=2, alpha=4, rank_pattern={"v_proj": 3}, alpha_pattern={"layers.1.mlp.down_proj": 9}
    ),
    "lokr": of(peft.LoKrConfig, r=2, alpha=4),
    "lokr-both": of(peft.LoKrConfig, r=1, alpha=2, decompose_both=True, decompose_factor=8),
    "lokr-full": of(peft.LoKrConfig, r=64, alpha=16, decompose_factor=4),
    "miss": of(peft.MissConfig, r=5),  # no divisor of the layers' inputs
    "miss-mini": of(peft.MissConfig, r=4, mini_r=8, init_weights="mini"),
}  # fmt: skip


@pytest.fixture
def ids() -> torch.Tensor:
    """A batch of token ids [2, 16]."""
    return torch.randint(0, 256, (2, 16), generator=torch.Generator().manual_seed(3))


def matrices(adapted: PeftModel, base: Any) -> dict[str, torch.Tensor]:
    """ΔW of every module by brute force: the merged weights minus the base's, in float64."""
    merged = dict(adapted.merge_and_unload().named_parameters())
    return {
        name.removesuffix(".weight"): merged[name].detach().double() - weight.detach().double()
        for name, weight in base.named_parameters()
        if any(target in name for target in TARGETS)
    }


def test_every_type_that_is_accepted_is_tried_here() -> None:
    assert {make().peft_type for make in FORMS.values()} == CONVERTIBLE.keys()


@pytest.mark.parametrize("form", FORMS)
def test_the_factors_compute_what_peft_computes(form: str, tmp_path: Path, ids: torch.Tensor) -> None:
    adapted = tiny.another(tmp_path, FORMS[form]())
    base = tiny.model()
    plain, wanted = logits(base, ids), logits(adapted, ids)
    factors = convert(base, tmp_path)
    with applied(base, factors):
        got = logits(base, ids)
    assert error(wanted, plain) > 0.01
    assert factors.conversion_error is not None
    assert factors.conversion_error <= TOLERANCE
    assert error(got - plain, wanted - plain) < 1e-4 + 10 * factors.conversion_error
    assert set(factors.suffixes) == set(TARGETS)


def test_a_type_of_low_rank_loses_nothing_and_grows_no_rank(tmp_path: Path) -> None:
    ranks = {"adalora": 6, "delora": 4, "gralora": 16, "loha": 9, "lokr-both": 8, "miss": 5, "miss-mini": 4}
    for form, rank in ranks.items():
        tiny.another(tmp_path / form, FORMS[form]())
        factors = convert(tiny.model(), tmp_path / form)
        assert factors.conversion_error is not None
        assert factors.conversion_error < 2e-6, form
        assert factors.rank <= rank, form


@pytest.mark.parametrize(("form", "rank"), [("loha", 2), ("lokr-full", 8), ("gralora-hybrid", 3)])
def test_the_error_is_that_of_brute_force(form: str, rank: int, tmp_path: Path) -> None:
    adapted, base = tiny.another(tmp_path, FORMS[form]()), tiny.model()
    factors = convert(base, tmp_path, max_rank=rank)
    assert factors.rank == rank
    wanted = matrices(adapted, base)
    assert wanted.keys() == factors.a.keys()
    lost = sum(float((wanted[m] - factors.b[m].double() @ factors.a[m].double()).square().sum()) for m in wanted)
    best = sum(float(torch.linalg.svdvals(w)[rank:].square().sum()) for w in wanted.values())
    total = sum(float(w.square().sum()) for w in wanted.values())
    assert factors.conversion_error == pytest.approx(math.sqrt(lost / total), rel=1e-3)
    assert factors.conversion_error == pytest.approx(math.sqrt(best / total), rel=1e-3)  # Eckart and Young
    assert math.sqrt(lost / total) > 0.01


def test_a_pruned_adalora_keeps_its_scaling_and_a_module_without_ranks_is_left_out(
    tmp_path: Path, ids: torch.Tensor
) -> None:
    """After its budget is spent an AdaLoRA has another rank in every module, and masks in its configuration."""
    made = tiny.another(tmp_path, FORMS["adalora"]())
    config = json.loads((tmp_path / CONFIG).read_text())
    tensors = load_file(tmp_path / WEIGHTS)
    masks: dict[str, list[bool]] = {}
    for number, name in enumerate(sorted(n for n in tensors if n.endswith("lora_E"))):
        mask = [rank < number for rank in range(6)]  # ranks 0 to 5
        masks[name.removeprefix("base_model.model.")] = mask
        tensors[name] = tensors[name][mask]
        tensors[name[:-1] + "A"] = tensors[name[:-1] + "A"][mask]
        tensors[name[:-1] + "B"] = tensors[name[:-1] + "B"][:, mask].contiguous()
    save_file(tensors, tmp_path / WEIGHTS, metadata={"format": "pt"})
    (tmp_path / CONFIG).write_text(json.dumps({**config, "rank_pattern": masks}))
    del made
    base = tiny.model()
    factors = convert(base, tmp_path)
    assert sorted(a.shape[0] for a in factors.a.values()) == [1, 2, 3, 4, 5]
    with applied(base, factors):
        got = logits(base, ids)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT warns of its own masks
        wanted = logits(PeftModel.from_pretrained(tiny.model(), tmp_path).eval(), ids)
    assert error(got, wanted) < 1e-5


def test_the_base_and_the_random_numbers_are_left_as_they_were(tmp_path: Path) -> None:
    """Also when it fails in the middle."""
    for form in ("loha", "delora"):
        tiny.another(tmp_path / form, FORMS[form]())
    broken = tiny.rewrite(tmp_path / "delora", lambda tensor: tensor if tensor.shape[0] == 1 else tensor * float("nan"))
    base = tiny.model()
    before, modules = {name: p.clone() for name, p in base.named_parameters()}, [type(m) for m in base.modules()]
    torch.manual_seed(5)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    convert(base, tmp_path / "loha")
    with pytest.raises(UnusableError):
        convert(base, broken)
    assert torch.equal(torch.rand(3), drawn)
    assert [type(m) for m in base.modules()] == modules
    assert all(torch.equal(p, before[name]) for name, p in base.named_parameters())
    assert not any(m._forward_hooks for m in base.modules())


def change(folder: Path, **fields: Any) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **fields}))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"peft_type": "VERA"}, "weights-broken"),
        ({"peft_type": "LOKR"}, "weights-broken"),
        ({"r": 10**9}, "weights-broken"),
        ({"r": "3"}, "weights-broken"),
        ({"rank_pattern": {"(a+)+$": 3}}, "weights-broken"),
        ({"alpha": None, "alpha_pattern": {"(v|q)_proj": 3}}, "weights-broken"),
        ({"r": 4}, "shape-mismatch"),
    ],
)
def test_a_hostile_configuration_is_refused_before_anything_is_made(
    fields: dict[str, Any], code: str, tmp_path: Path
) -> None:
    tiny.another(tmp_path, FORMS["loha"]())
    change(tmp_path, **fields)
    with pytest.raises(UnusableError) as refused:
        convert(tiny.model(), tmp_path)
    assert refused.value.code == code


def test_an_adalora_of_a_higher_rank_than_its_configuration_says_is_refused(tmp_path: Path) -> None:
    tiny.another(tmp_path, FORMS["adalora"]())
    change(tmp_path, init_r=3)
    with pytest.raises(UnusableError) as refused:
        convert(tiny.model(), tmp_path)
    assert refused.value.code == "shape-mismatch"


def test_the_targets_are_the_modules_in_the_file_and_no_expression_of_a_stranger_is_run(tmp_path: Path) -> None:
    """This one would take longer than the universe has been there."""
    tiny.another(tmp_path, FORMS["loha"]())
    change(tmp_path, target_modules="(model.|(.+)+)+[^d]$", exclude_modules="((.+)+)+x$")
    assert set(convert(tiny.model(), tmp_path).suffixes) == set(TARGETS)


PREFIX = "base_model.model.model.layers.0"


@pytest.mark.parametrize(
    ("name", "shape", "code"),
    [
        (f"{PREFIX}.self_attn.q_proj.hada_w1_a", (64, 3), "shape-mismatch"),
        (f"{PREFIX}.self_attn.q_proj.hada_t1", (3, 3, 1, 1), "weights-broken"),
        ("base_model.model.lm_head.weight", (258, 32), "weights-broken"),
    ],
)
def test_other_tensors_than_those_of_its_linear_layers_are_refused(
    name: str, shape: tuple[int, ...], code: str, tmp_path: Path
) -> None:
    tiny.another(tmp_path, FORMS["loha"]())
    save_file({**load_file(tmp_path / WEIGHTS), name: torch.ones(shape)}, tmp_path / WEIGHTS)
    with pytest.raises(UnusableError) as refused:
        convert(tiny.model(), tmp_path)
    assert refused.value.code == code


@pytest.mark.parametrize("module", ["model.layers.9.self_attn.q_proj", "model.embed_tokens", "model.norm"])
def test_what_is_no_linear_layer_of_the_base_is_refused(module: str, tmp_path: Path) -> None:
    tiny.another(tmp_path, FORMS["loha"]())
    kept = {k: v for k, v in load_file(tmp_path / WEIGHTS).items() if "layers.0.self_attn.q_proj" in k}
    moved = {k.replace("model.layers.0.self_attn.q_proj", module): v for k, v in kept.items()}
    assert len(moved) == 4
    save_file(moved, tmp_path / WEIGHTS)
    with pytest.raises(UnusableError, match="no linear layer") as refused:
        convert(tiny.model(), tmp_path)
    assert refused.value.code == "shape-mismatch"


@pytest.mark.parametrize(("factor", "code"), [(0.0, "no-op"), (float("nan"), "nan-weights"), (1e30, "nan-weights")])
def test_zeros_and_what_is_no_number_are_refused(factor: float, code: str, tmp_path: Path) -> None:
    tiny.another(tmp_path, FORMS["loha"]())
    tiny.rewrite(tmp_path, lambda tensor: tensor * factor)
    with pytest.raises(UnusableError) as refused:
        convert(tiny.model(), tmp_path)
    assert refused.value.code == code


@pytest.mark.parametrize("rank", [0, 3, 40, 200])
def test_a_large_matrix_is_cut_to_its_rank_like_a_small_one(rank: int) -> None:
    """Beyond 512 rows and columns the decomposition is a random one, the same every time."""
    torch.manual_seed(rank)
    matrix = torch.randn(700, rank) @ torch.randn(rank, 600)
    made, again = cut(matrix, 256), cut(matrix, 256)
    assert made.b.shape == (700, made.a.shape[0])
    assert made.a.shape[0] <= rank
    assert made.lost <= TOLERANCE**2 * made.total
    assert made.total == pytest.approx(float(matrix.double().square().sum()))
    assert torch.equal(made.a, again.a)
    assert torch.equal(made.b, again.b)


def test_of_a_matrix_of_full_rank_the_best_part_is_kept_and_the_rest_is_told() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(700, 600) * torch.logspace(0, -2, 600)
    made = cut(matrix, 64)
    best = float(torch.linalg.svdvals(matrix.double())[64:].square().sum())
    assert made.a.shape == (64, 600)
    assert best <= made.lost < 1.02 * best
    assert made.lost == pytest.approx(
        float((matrix.double() - made.b.double() @ made.a.double()).square().sum()), rel=1e-4
    )
