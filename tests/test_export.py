"""Exports against slow, obvious references: dense decompositions, the adapters that went in, plain loaders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from hubexpert.errors import HubExpertError
from hubexpert.factors import read_factors
from hubexpert.lowrank import thin_svd
from hubexpert.moe.adapter import attach, load, save
from hubexpert.moe.export import export_expert, export_merged, export_static
from hubexpert.moe.initial import random_routers
from hubexpert.moe.mixture import open_mixture
from hubexpert.moe.router import read_router
from hubexpert.moe.widen import linears, widen
from hubexpert.slots import applied
from tests import tiny
from tests.commands import run
from tests.mixtures import EXPERTS, Published, load_base, publish, token_ids
from tests.test_moe import KINDS
from tests.tiny import error, logits

if TYPE_CHECKING:
    from hubexpert.localhub import Store


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A mixture of five experts and a shared one of rank 3."""
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def static(published: Published) -> torch.Tensor:
    """The logits of its static form."""
    return logits(load(published.folder, routed=False), token_ids())


def mixed(root: Path, *folders: Path) -> tuple[Path, Any]:
    """The folder of a mixture of these adapters, neither trained nor folded, and the routed model."""
    base, factors = tiny.model(), [read_factors(folder) for folder in folders]
    layers = linears(base, {suffix for f in factors for suffix in f.suffixes})
    wide = widen(factors, layers, shared_rank=0, seed=0)
    model = attach(base, wide, random_routers(wide, seed=0), top_k=2)
    (root / "mixture").mkdir()
    save(model, root / "mixture", base=tiny.BASE, experts=EXPERTS[: len(folders)])
    return root / "mixture", model


def under_peft(published: Published, folder: Path) -> torch.Tensor:
    """The logits of an adapter as plain PEFT loads it."""
    return logits(PeftModel.from_pretrained(load_base(published), str(folder)), token_ids())


def updates(folder: Path) -> dict[str, torch.Tensor]:
    """Module -> ΔW [out, in] in float64, formed."""
    factors = read_factors(folder)
    return {m: factors.b[m].double() @ factors.a[m].double() for m in factors.a}


@pytest.mark.parametrize(("rank", "inside", "outside"), [(3, 8, 6), (9, 5, 7), (6, 40, 30)])
def test_the_thin_decomposition_is_that_of_the_product(rank: int, inside: int, outside: int) -> None:
    """Also where the factors are not thin at all."""
    generator = torch.Generator().manual_seed(rank)
    a, b = torch.randn(rank, inside, generator=generator), torch.randn(outside, rank, generator=generator)
    u, s, v = thin_svd(a, b)
    product = b.double() @ a.double()
    assert torch.allclose((u * s) @ v.T, product, atol=1e-12)
    assert torch.allclose(s, torch.linalg.svdvals(product)[: len(s)], atol=1e-12)
    for basis in (u, v):
        assert torch.allclose(basis.T @ basis, torch.eye(len(s), dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize("rank", [39, 1000])
def test_a_rank_that_is_high_enough_loses_nothing(
    rank: int, published: Published, static: torch.Tensor, tmp_path: Path
) -> None:
    """The file has no more rank than there is."""
    made = export_static(open_mixture(published.folder), rank, tmp_path / "out")
    assert (made.error, made.worst_error) == (0, 0)
    assert made.rank == 32  # the side of the base's modules; the wide LoRA has 39
    assert error(under_peft(published, tmp_path / "out"), static) < 1e-5


@pytest.mark.parametrize("rank", [1, 8, 16])
def test_a_cut_to_a_rank_is_the_best_one_and_its_error_is_told(
    rank: int, published: Published, static: torch.Tensor, tmp_path: Path
) -> None:
    """Module by module the truncated decomposition of the update as it is formed; a plain LoRA with alpha = r."""
    made = export_static(open_mixture(published.folder), rank, tmp_path / "out")
    whole, cut, errors, lost = updates(published.folder), updates(tmp_path / "out"), {}, 0.0
    for module, update in whole.items():
        u, s, vh = torch.linalg.svd(update, full_matrices=False)
        assert error(cut[module], (u[:, :rank] * s[:rank]) @ vh[:rank]) < 1e-5
        errors[module] = error(cut[module], update)
        lost += float((cut[module] - update).square().sum())
    assert made.error is not None
    total = sum(float(update.square().sum()) for update in whole.values())
    assert made.error == pytest.approx((lost / total) ** 0.5, rel=1e-4)
    assert made.worst_module == max(errors, key=lambda m: errors[m])
    assert made.worst_error == pytest.approx(max(errors.values()), rel=1e-4)
    config = json.loads((tmp_path / "out/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["rank_pattern"], config["use_rslora"]) == (rank, rank, {}, False)
    assert config["base_model_name_or_path"] == str(published.base)
    assert {f.name for f in (tmp_path / "out").iterdir()} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    assert error(under_peft(published, tmp_path / "out"), static) > 1e-3
    assert f"{100 * made.error:.2g} %" in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_an_expert_that_was_not_trained_comes_out_as_it_went_in(
    kind: str, published: Published, tmp_path: Path
) -> None:
    """Whatever its rank, targets and scaling; the mean gate is no longer in it. By number and by name."""
    mixture, number = open_mixture(published.folder), list(KINDS).index(kind) + 1
    made = export_expert(mixture, str(number), tmp_path / "out")
    original = published.folder.parent / kind
    assert error(under_peft(published, tmp_path / "out"), under_peft(published, original)) < 1e-5
    wanted = read_factors(original)
    assert made.rank == wanted.rank
    assert read_factors(tmp_path / "out").a.keys() == wanted.a.keys()
    assert made.expert == f"tester/{kind}@{'a' * 40}"
    export_expert(mixture, f"tester/{kind}", tmp_path / "again")
    for name in ("adapter_model.safetensors", "adapter_config.json", "README.md"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@pytest.mark.parametrize("owner", range(6))
def test_an_expert_is_the_mixture_with_the_others_silent_and_its_gate_one(
    owner: int, published: Published, tmp_path: Path
) -> None:
    """Column by column out of the published files; 5 is the shared expert, whose columns carry no mean."""
    export_expert(open_mixture(published.folder), "shared" if owner == 5 else str(owner + 1), tmp_path / "out")
    model = load(published.folder, base=load_base(published))
    stored = load_file(published.folder / "router.safetensors")
    layers = {n: m for n, m in model.named_modules() if hasattr(m, "lora_A")}
    for name, layer in layers.items():
        module = name.removeprefix("base_model.model.")
        means = [*stored[f"{module}.mean"].tolist(), 1.0]
        gate = layer.lora_A["default"]
        gate.routed = False  # plain columns; each is scaled by hand
        for column, who in enumerate(stored[f"{module}.owner"].tolist()):
            layer.lora_B["default"].weight.data[:, column] *= 1 / means[who] if who == owner else 0
    assert error(under_peft(published, tmp_path / "out"), logits(model, token_ids())) < 1e-5


def test_where_an_expert_is_used_alone_the_mixture_is_that_expert(tmp_path: Path) -> None:
    """With one expert the gate is 1, so routed and exported agree, folded mean or not."""
    mixture, model = mixed(tmp_path, tiny.lora(tmp_path / "lora", seed=3, use_rslora=True))
    export_expert(open_mixture(mixture), "1", tmp_path / "out")
    alone = tiny.model()
    with applied(alone, read_factors(tmp_path / "out")):
        assert error(logits(alone, token_ids()), logits(model, token_ids())) < 1e-5


def test_modules_that_an_expert_lacks_are_left_out(tmp_path: Path) -> None:
    """An adapter of one layer stays one: PEFT would fill a module that is named and not in the file at random."""
    few = tiny.lora(tmp_path / "few", seed=1, layers_to_transform=[1], target_modules=["q_proj"])
    mixture, _ = mixed(tmp_path, few, tiny.lora(tmp_path / "all", seed=2))
    made = export_expert(open_mixture(mixture), "1", tmp_path / "out")
    assert (made.modules, made.rank) == (1, 4)
    given = PeftModel.from_pretrained(tiny.model(), str(tmp_path / "out"))
    assert (
        error(logits(given, token_ids()), logits(PeftModel.from_pretrained(tiny.model(), str(few)), token_ids())) < 1e-6
    )
    assert not any("layers.0" in name for name, _ in given.named_parameters() if "lora_" in name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_merged_model_is_the_static_form_in_the_bases_dtype(
    dtype: torch.dtype, published: Published, static: torch.Tensor, tmp_path: Path
) -> None:
    """An ordinary model with its tokenizer: transformers needs neither PEFT nor hubexpert for it."""
    base = tmp_path / "base"
    load_base(published).to(dtype).save_pretrained(base)
    tiny.tokenizer().save_pretrained(base)
    made = export_merged(open_mixture(published.folder), base, tmp_path / "out")
    assert made.dtype == str(dtype).removeprefix("torch.")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto").eval()
    assert {p.dtype for p in model.parameters()} == {dtype}
    wanted = logits(load(published.folder, base=str(base), routed=False), token_ids())
    assert error(logits(model.float(), token_ids()), wanted) < (1e-5 if dtype == torch.float32 else 2e-2)
    if dtype == torch.float32:
        assert error(wanted, static) < 1e-6
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer("Hello").input_ids == tiny.tokenizer()("Hello").input_ids
    assert tokenizer.chat_template == tiny.tokenizer().chat_template
    assert not list((tmp_path / "out").glob("adapter*"))
    assert str(tmp_path) not in "".join(f.read_text() for f in (tmp_path / "out").glob("*.json"))
    assert "The router" in (tmp_path / "out/README.md").read_text()


def test_tied_embeddings_are_untied_where_the_output_is_adapted(tmp_path: Path) -> None:
    """Merging into a tied `lm_head` must not change what goes in."""
    base = tiny.model()
    base.config.tie_word_embeddings = True
    base.lm_head.weight = base.model.embed_tokens.weight
    base.save_pretrained(tmp_path / "base")
    tiny.tokenizer().save_pretrained(tmp_path / "base")
    with safe_open(tmp_path / "base/model.safetensors", framework="pt") as stored:
        assert "lm_head.weight" not in stored.keys()  # noqa: SIM118  not a dict
    lora = tiny.lora(tmp_path / "lora", seed=1, target_modules=["lm_head", "q_proj"])
    mixture, _ = mixed(tmp_path, lora)
    export_merged(open_mixture(mixture), tmp_path / "base", tmp_path / "out")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "base").eval()
    with applied(plain, read_factors(lora)):
        wanted = logits(plain, token_ids())
    assert error(logits(AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval(), token_ids()), wanted) < 1e-5


def test_what_a_stranger_wrote_does_nothing_in_the_page(published: Published, tmp_path: Path) -> None:
    """Names of bases and experts are shown as code, and the metadata is made by a YAML library."""
    folder = tmp_path / "mixture"
    folder.mkdir()
    hostile = "<img src=x onerror=alert(1)>\n---\n[a](javascript:alert(1)) `{{ 7 * 7 }}`"
    config = json.loads((published.folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": hostile}))
    save_file(load_file(published.folder / "adapter_model.safetensors"), folder / "adapter_model.safetensors")
    with safe_open(published.folder / "router.safetensors", framework="pt") as stored:
        described = json.loads(stored.metadata()["hubexpert"])
    described["experts"] = [f"{hostile}@{'b' * 40}", *described["experts"][1:]]
    metadata = {"hubexpert": json.dumps(described)}
    save_file(load_file(published.folder / "router.safetensors"), folder / "router.safetensors", metadata=metadata)
    export_expert(open_mixture(folder, name=hostile), "1", tmp_path / "out")
    text = (tmp_path / "out/README.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front) == {
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["hubexpert", "lora"],
    }
    assert "\n---" not in body
    assert "49" not in body
    for line in body.splitlines():
        outside = "".join(line.split("`")[::2])
        assert "<" not in outside
        assert "](" not in outside


@pytest.mark.parametrize(
    ("change", "experts"),
    [
        (lambda t: {k: torch.tensor(1.0) if k.endswith(".router") else v for k, v in t.items()}, None),
        (lambda t: {k: torch.ones(0) if k.endswith(".owner") else v for k, v in t.items()}, None),
        (lambda t: t, ["one"]),
        (lambda t: t, "five"),
        (lambda t: t, [1, 2, 3, 4, 5]),
    ],
    ids=["scalar", "nobody", "names", "text", "numbers"],
)
def test_a_router_is_checked_before_it_is_used(
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
    experts: Any,
    published: Published,
    tmp_path: Path,
) -> None:
    """Shapes, owners and names come from a stranger."""
    with safe_open(published.folder / "router.safetensors", framework="pt") as stored:
        described = json.loads(stored.metadata()["hubexpert"])
    described["experts"] = described["experts"] if experts is None else experts
    file = tmp_path / "router.safetensors"
    tensors = change(load_file(published.folder / "router.safetensors"))
    save_file(tensors, file, metadata={"hubexpert": json.dumps(described)})
    with pytest.raises(HubExpertError, match="cannot be used"):
        read_router(file, read_factors(published.folder).a)


@pytest.mark.parametrize("name", ["adapter_config.json", "hubexpert.lock", "adapter_model.safetensors"])
def test_a_damaged_file_is_an_error_with_a_fix(name: str, published: Published, tmp_path: Path) -> None:
    """One sentence, and nothing is left at the target."""
    for file in published.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / name).write_bytes(b"[1")
    with pytest.raises(HubExpertError):
        export_static(open_mixture(tmp_path), 4, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# the command


@pytest.fixture(scope="module")
def repo(store: "Store", tmp_path_factory: pytest.TempPathFactory) -> str:
    """A mixture on the Hub, which names a base there; its lock pins the base's commit."""
    root = tmp_path_factory.mktemp("hub")
    made = publish(root, base_name="tester/export-base")
    revision = store.add_folder("tester/export-base", made.base)
    (made.folder / "hubexpert.lock").write_text(json.dumps({"base": {"revision": revision}}))
    store.add_folder("tester/export-mixture", made.folder)
    return "tester/export-mixture"


def test_a_published_mixture_is_exported_from_the_hub(
    repo: str, endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All three forms; the page says from which commit of which repository, on which commit of which base."""
    given = ("export", "--from", repo, "--revision", "main", "--json", "--quiet")
    forms = (("--static-rank", "8"), ("--expert", "tester/rslora"), ("--merged",))
    for index, form in enumerate(forms):
        target = tmp_path / str(index)
        assert run(*given, str(target), *form) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["folder"] == str(target)
        assert told["form"] == ("static", "expert", "merged")[index]
        assert (told["error"] is not None) == (index == 0)
        page = (target / "README.md").read_text()
        assert f"{endpoint}/{repo}/tree/" in page
        assert f"{endpoint}/tester/export-base/tree/" in page
        assert yaml.safe_load(page.split("---\n")[1])["base_model"] == "tester/export-base"
    adapted = logits(load(repo, routed=False), token_ids())
    assert error(logits(AutoModelForCausalLM.from_pretrained(tmp_path / "2").eval(), token_ids()), adapted) < 1e-5


def test_without_a_name_the_recipes_own_mixture_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files that `build` left, on the base that the recipe names, wherever the command is called."""
    project = tmp_path / "project"
    project.mkdir()
    made = publish(project, base_name="./base")
    recipe = project / "hubexpert.yaml"
    recipe.write_text("base: ./base\ntask: {name: own-task, shots: s.jsonl}\n")
    monkeypatch.chdir(tmp_path)
    assert run("export", "out", "--static-rank", "4", "--recipe", str(recipe)) == 1
    assert "hubexpert build" in capsys.readouterr().err
    (project / ".hubexpert").mkdir(exist_ok=True)
    made.folder.rename(project / ".hubexpert/build")
    assert run("export", "out", "--static-rank", "4", "--recipe", str(recipe)) == 0
    assert "of the weight update is lost" in capsys.readouterr().out
    assert run("export", "merged", "--merged", "--recipe", str(recipe)) == 0
    page = (tmp_path / "merged/README.md").read_text()
    assert "`own-task` merged" in page
    assert str(tmp_path) not in page
    assert "base_model" not in page  # a folder is no repository
    wanted = logits(load(project / ".hubexpert/build", base=str(project / "base"), routed=False), token_ids())
    assert error(logits(AutoModelForCausalLM.from_pretrained("merged").eval(), token_ids()), wanted) < 1e-5


def test_a_target_with_something_in_it_is_refused(
    published: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of others is written over; an empty folder is a new one."""
    target = tmp_path / "out"
    target.mkdir()
    given = ("export", str(target), "--from", str(published.folder), "--static-rank", "4")
    assert run(*given) == 0
    before = {file: file.read_bytes() for file in target.iterdir()}
    capsys.readouterr()
    assert run(*given) == 1
    assert "Fix: name a new folder" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in target.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "one of"),
        (("--merged", "--expert", "1"), 2, "one of"),
        (("--static-rank", "0"), 2, "0 is not in the range"),
        (("--static-rank", "4", "--base", "x"), 2, "--base with --merged"),
        (("--expert", "6"), 1, "1 (tester/plain)"),
        (("--expert", "0"), 1, "1 (tester/plain)"),
        (("--expert", "tester/none"), 1, "no expert tester/none"),
    ],
)
def test_what_cannot_be_exported_is_told(
    arguments: tuple[str, ...], code: int, said: str, published: Published, tmp_path: Path, capsys: Any
) -> None:
    """Exactly one form; the fix lists the experts that there are."""
    assert run("export", str(tmp_path / "out"), "--from", str(published.folder), *arguments) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_mixture_without_a_shared_expert_has_none_to_export(tmp_path: Path) -> None:
    """Zeros that fill modules up to one rank are nobody's."""
    both = tiny.lora(tmp_path / "both", seed=1)
    mixture, _ = mixed(tmp_path, both, tiny.lora(tmp_path / "one", seed=2, target_modules=["q_proj"]))
    owners = {n: t.tolist() for n, t in load_file(mixture / "router.safetensors").items() if n.endswith("v_proj.owner")}
    assert all(owner == [0, 0, 0, 0, 2, 2, 2, 2] for owner in owners.values())
    with pytest.raises(HubExpertError, match="no columns of the expert shared"):
        export_expert(open_mixture(mixture), "shared", tmp_path / "out")
    assert export_expert(open_mixture(mixture), "1", tmp_path / "out").rank == 4
