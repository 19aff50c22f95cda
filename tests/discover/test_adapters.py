import struct
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download

from hubexpert.discover import discover
from hubexpert.errors import HubExpertError
from hubexpert.localhub import Store
from hubexpert.recipe import DiscoverSection
from hubexpert.records import Candidate, Discovery
from tests.discover.faults import Fault, client, faulty_hub
from tests.discover.making import CONFIG, PICKLE, WEIGHTS, adapter, card, shapes


def found(base: str, **section: object) -> dict[str, Candidate]:
    """Repository -> candidate, also those that were refused without an inspection."""
    refused: list[Candidate] = []
    result = discover(base, DiscoverSection.model_validate(section), each=refused.append, quiet=True)
    candidates = (*result.candidates, *refused)
    assert sum(result.verdicts.values()) == len(candidates) == len({c.source.repo for c in candidates})
    return {c.source.repo: c for c in candidates}


def test_one_bad_adapter_of_every_kind_does_not_hide_the_good_one(store: Store, tmp_path: Path) -> None:
    base = "pool/base"
    commit = store.add_folder(
        "pool-good/lora", adapter(tmp_path / "good", base, text=card(base, extra="datasets: [pool/data]"))
    )
    huge = struct.pack("<Q", 2**60) + b"{}"
    lying = b'{"x": {"dtype": "F32", "shape": [4, 16], "data_offsets": [0, 99999999]}}'
    kinds = {
        "pickle-only": {"files": {PICKLE: b"\x80\x04."}, "without": (WEIGHTS,)},
        "no-weights": {"without": (WEIGHTS,)},
        "other-base": {"fields": {"base_model_name_or_path": "else/where"}},
        "not-lora": {"fields": {"peft_type": "IA3"}},
        "dora": {"fields": {"use_dora": True}},
        "license-unknown": {"text": card(base, None)},
        "license-forbidden": {"text": card(base, "cc-by-nc-4.0")},
        "rank-too-high": {"rank": 1024},
        "extra-modules": {"tensors": shapes() | {"base_model.model.score.weight": (2, 16)}},
        "vocab-changed": {"tensors": shapes() | {"base_model.model.lm_head.weight": (8, 16)}},
        "config-broken": {"files": {CONFIG: b"{not json"}},
        "header-broken": {"files": {WEIGHTS: huge}},
        "shape-mismatch": {"tensors": shapes(8)},
    }
    for kind, wrong in kinds.items():
        store.add_folder(f"pool-bad/{kind}", adapter(tmp_path / kind, base, **wrong))  # type: ignore[arg-type]
    more = {
        "header-broken": b"",
        "header-broken-lies": struct.pack("<Q", len(lying)) + lying,
        "config-broken-list": b"[]",
    }
    for name, content in more.items():
        broken = {CONFIG if name.startswith("config") else WEIGHTS: content}
        store.add_folder(f"pool-more/{name}", adapter(tmp_path / "more" / name, base, files=broken))

    candidates = found(base)
    for kind in kinds:
        assert candidates[f"pool-bad/{kind}"].verdict == kind
        assert candidates[f"pool-bad/{kind}"].reasons
    for name in more:
        assert name.startswith(candidates[f"pool-more/{name}"].verdict)
    good = candidates["pool-good/lora"]
    assert good.verdict == "accepted"
    assert good.reasons == ()
    assert good.source.model_dump() == {
        "repo": "pool-good/lora", "revision": commit, "license": "apache-2.0", "repo_type": "model",
    }  # fmt: skip
    assert (good.rank, good.target_modules) == (4, ("q_proj", "v_proj"))
    assert good.size == (tmp_path / "good" / WEIGHTS).stat().st_size
    assert (good.author, good.base, good.datasets) == ("pool-good", base, ("pool/data",))
    assert good.last_modified


def test_gated_and_private_adapters_are_refused_although_we_may_read_them(store: Store, tmp_path: Path) -> None:
    base = "locked/base"
    store.add_folder("locked/gated", adapter(tmp_path / "g", base))
    HfApi().update_repo_settings("locked/gated", gated="auto")
    store.add_folder("tester/private", adapter(tmp_path / "p", base), private=True)
    candidates = found(base)
    assert {repo: c.verdict for repo, c in candidates.items()} == {"locked/gated": "gated", "tester/private": "private"}


def test_adapters_without_the_tag_are_found_by_their_configuration_and_those_named_by_id(
    store: Store, tmp_path: Path
) -> None:
    base = "ways/base"
    store.add_folder("ways/tag-and-config", adapter(tmp_path / "1", base))
    store.add_folder("ways/tag", adapter(tmp_path / "2", base, fields={"base_model_name_or_path": "/data/base"}))
    store.add_folder("ways/config", adapter(tmp_path / "3", base, text="---\nlicense: mit\n---\n# No base\n"))
    nothing = {"text": card(None, "mit"), "fields": {"base_model_name_or_path": None}}
    store.add_folder("ways/id", adapter(tmp_path / "4", base, **nothing))  # type: ignore[arg-type]
    candidates = found(base, include=["ways/id", "ways/tag", "ways/tag"])
    assert {repo: c.found_by for repo, c in candidates.items()} == {
        "ways/tag-and-config": ("tag", "config"),
        "ways/tag": ("tag", "id"),
        "ways/config": ("config",),
        "ways/id": ("id",),
    }
    assert {c.verdict for c in candidates.values()} == {"accepted"}


def test_a_named_adapter_can_be_pinned_and_a_missing_one_is_told(store: Store, tmp_path: Path) -> None:
    base = "pins/base"
    first = store.add_folder("pins/lora", adapter(tmp_path / "1", base))
    second = store.add_folder("pins/lora", adapter(tmp_path / "2", base, rank=8))
    assert found(base)["pins/lora"].source.revision == second
    candidates = found(base, include=[f"pins/lora@{first}", "pins/gone", "not a name"])
    pinned = candidates["pins/lora"]
    assert (pinned.source.revision, pinned.rank, pinned.found_by) == (first, 4, ("tag", "config", "id"))
    assert candidates["pins/gone"].verdict == "missing"
    assert candidates["not a name"].verdict == "missing"
    assert candidates["pins/gone"].source.revision == "0" * 40


def test_excluded_adapters_are_left_out_by_name_or_pattern(store: Store, tmp_path: Path) -> None:
    base = "excl/base"
    for name in ("excl/a", "excl/b", "exclother/c"):
        store.add_folder(name, adapter(tmp_path / name, base))
    assert list(found(base, exclude=["excl/a", "exclother/*"], include=["exclother/c"])) == ["excl/b"]


def test_an_adapter_named_in_another_case_is_the_same_one(store: Store, endpoint: str, tmp_path: Path) -> None:
    store.add_folder("case/lora", adapter(tmp_path / "1", "case/base"))
    store.add_folder("case/left-out", adapter(tmp_path / "2", "case/base"))
    script = """
from hubexpert.discover import discover
from hubexpert.recipe import DiscoverSection
section = DiscoverSection(include=("Case/LoRA",), exclude=("Case/Left-Out",))
print([(c.source.repo, c.found_by) for c in discover("case/base", section, quiet=True).candidates])
"""

    def redirect(method: str, path: str, before: int) -> Fault | None:  # as the Hub does, to the name in its own case
        typed = "/api/models/Case/LoRA"
        return Fault(307, {"Location": path.replace(typed, typed.lower())}) if path.startswith(typed) else None

    with faulty_hub(endpoint, redirect) as (address, _):
        done = client(script, address)
    assert done.stdout == "[('case/lora', ('tag', 'config', 'id'))]\n", done.stderr


def test_the_limit_leaves_the_least_downloaded_out_but_never_a_named_one(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = "limit/base"
    for name in ("limit/a", "limit/b", "limit/c", "limit/d"):
        store.add_folder(name, adapter(tmp_path / name, base))
    section = DiscoverSection(limit=2, include=("limit/d",))
    refused: list[Candidate] = []
    candidates = discover(base, section, each=refused.append).candidates
    assert [c.source.repo for c in candidates] == ["limit/a", "limit/b", "limit/d"]
    assert [(c.source.repo, c.verdict) for c in refused] == [("limit/c", "beyond-limit")]
    assert "1 adapters are left out" in capsys.readouterr().err


def test_candidates_stand_in_order_of_downloads_then_name(store: Store, tmp_path: Path) -> None:
    base = "order/base"
    for name in ("order/b", "order/a", "order/c"):
        store.add_folder(name, adapter(tmp_path / name, base))
    hf_hub_download("order/c", "adapter_config.json")
    assert [c.source.repo for c in found(base).values()] == ["order/c", "order/a", "order/b"]


def test_an_alias_is_the_full_id(store: Store, tmp_path: Path) -> None:
    store.add_folder("alias/lora", adapter(tmp_path / "1", "HuggingFaceTB/SmolLM2-1.7B"))
    result = discover("smollm2_1.7B", DiscoverSection(), quiet=True)
    assert result.base == "HuggingFaceTB/SmolLM2-1.7B"
    assert [c.source.repo for c in result.accepted] == ["alias/lora"]


def test_of_a_folder_the_hub_learns_nothing_and_named_adapters_are_taken(
    store: Store, endpoint: str, tmp_path: Path
) -> None:
    folder = str(tmp_path / "secret-base")
    store.add_folder("local/same", adapter(tmp_path / "1", folder, text=card(None)))
    store.add_folder("local/other", adapter(tmp_path / "2", "local/elsewhere"))
    script = """
from hubexpert.discover import discover
from hubexpert.recipe import DiscoverSection
found = discover({base!r}, DiscoverSection(include={include!r}), quiet=True)
print([(c.source.repo, c.verdict) for c in found.candidates])
"""
    with faulty_hub(endpoint) as (address, seen):
        done = client(script.format(base=folder, include=("local/other",)), address)
        nothing = client(script.format(base=folder + "-2", include=()), address)
    assert done.stdout == "[('local/other', 'accepted'), ('local/same', 'accepted')]\n", done.stderr
    assert nothing.stdout == "[]\n", nothing.stderr
    assert not [path for _, path in seen if "secret-base" in path]


def test_nothing_found_is_no_error_unless_there_is_no_such_base(store: Store, endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# A base without adapters\n")
    store.add_folder("nobody/base", tmp_path)
    assert discover("nobody/base", DiscoverSection()) == Discovery(base="nobody/base", endpoint=endpoint, candidates=())
    with pytest.raises(HubExpertError, match="nobody/nothing does not exist"):
        discover("nobody/nothing", DiscoverSection())


def test_a_base_that_is_gone_from_the_hub_has_the_adapters_whose_configuration_names_it_also_in_a_first_run(
    store: Store, endpoint: str, tmp_path: Path
) -> None:
    store.add_folder("gone/lora", adapter(tmp_path / "1", "gone/base", text="---\nlicense: mit\n---\n"))
    script = """
from hubexpert.discover import discover
from hubexpert.recipe import DiscoverSection
print([(c.source.repo, c.found_by) for c in discover("gone/base", DiscoverSection(), quiet=True).accepted])
"""
    for _ in range(2):
        done = client(script, endpoint, HF_HOME=str(tmp_path / "home"))
        assert done.stdout == "[('gone/lora', ('config',))]\n", done.stderr


def test_an_unknown_alias_names_the_nearest() -> None:
    with pytest.raises(HubExpertError) as caught:
        discover("lama-2-7b", DiscoverSection())
    assert "llama-2-7b" in caught.value.fix
    assert "owner/name" in caught.value.fix


def test_the_datasets_are_ranked_by_how_many_accepted_adapters_cite_them(store: Store, tmp_path: Path) -> None:
    base = "cite/base"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("---\nlicense: mit\n---\n")
    commit = store.add_folder("cite/data", tmp_path / "data", repo_type="dataset")
    (tmp_path / "data" / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    store.add_folder("cite/closed", tmp_path / "data", repo_type="dataset")
    cited = {"a": ["cite/data", "cite/gone"], "b": ["cite/data", "cite/closed"], "c": ["my own data"]}
    for name, datasets in cited.items():
        store.add_folder(f"cite/{name}", adapter(tmp_path / name, base, text=card(base, extra=f"datasets: {datasets}")))
    text = card(base, "cc-by-nc-4.0", "datasets: [cite/gone]")
    store.add_folder("cite/refused", adapter(tmp_path / "r", base, text=text))
    data = discover(base, DiscoverSection(), quiet=True).datasets
    assert [(d.repo, d.cited_by) for d in data] == [
        ("cite/data", ("cite/a", "cite/b")), ("cite/closed", ("cite/b",)), ("cite/gone", ("cite/a",)),
        ("my own data", ("cite/c",)),
    ]  # fmt: skip
    assert data[0].source and data[0].source.revision == commit and data[0].verdict == "accepted"
    assert data[1].source and "cc-by-nc-4.0" in (data[1].reason or "")
    assert data[2].source is None and "does not exist" in (data[2].reason or "")
    assert data[3].source is None and "no name" in (data[3].reason or "")
