import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubexpert.discover.family import family
from hubexpert.discover.reasons import Code
from hubexpert.discover.verdict import MAX_SIZE, Evidence, Verdict, verdict
from hubexpert.escape import brief
from hubexpert.experts.ledger import DOWNLOAD
from hubexpert.experts.load import CONVERSION
from hubexpert.factors import BROKEN, NAN, NO_OP, SHAPE
from hubexpert.recipe import DiscoverSection
from hubexpert.records import Source
from tests.discover.making import PREFIX, WEIGHTS, config, listing, shapes

CODES = get_args(Code)
REAL = Path(__file__).parents[1] / "data" / "adapter_configs"
A, B = f"{PREFIX}.q_proj.lora_A.weight", f"{PREFIX}.q_proj.lora_B.weight"


def judge(*, base: str = "a/base", section: DiscoverSection | None = None, **known: Any) -> Verdict:
    """The verdict on a good adapter of which something else is known."""
    kin = family(base, (), ())
    return verdict(Evidence(**{"family": kin, "section": section or DiscoverSection(), "listing": listing(), **known}))


def test_a_good_adapter_is_accepted_with_its_real_rank_and_targets() -> None:
    given = judge(config=config("a/base"), size=1000, header=shapes(4, ("v_proj", "q_proj")))
    assert given == Verdict("accepted", (), (), 4, ("q_proj", "v_proj"), "LORA")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"peft_type": "VERA"}, "not-lora"),
        ({"peft_type": None}, "not-lora"),
        ({"peft_type": 3}, "config-broken"),
        ({"use_dora": True}, "dora"),
        ({"r": 0}, "config-broken"),
        ({"r": -8}, "config-broken"),
        ({"r": "8"}, "config-broken"),
        ({"r": True}, "config-broken"),
        ({"r": 10**4000}, "config-broken"),
        ({"lora_alpha": float("nan")}, "config-broken"),
        ({"lora_alpha": None}, "config-broken"),
        ({"lora_alpha": 0}, "config-broken"),
        ({"lora_alpha": -8.0}, "config-broken"),
        ({"lora_alpha": True}, "config-broken"),
        ({"rank_pattern": {"(a+)+$": 4}}, "config-broken"),
        ({"alpha_pattern": {"(a+)+$": 4}}, "config-broken"),
        ({"alpha_pattern": {"q_proj\n": 4}}, "config-broken"),
        ({"fan_in_fan_out": True}, "not-lora"),
        ({"rank_pattern": [8]}, "config-broken"),
        ({"rank_pattern": {"q_proj": 0}}, "config-broken"),
        ({"alpha_pattern": {"q_proj": "x"}}, "config-broken"),
        ({"use_rslora": "yes"}, "config-broken"),
        ({"target_modules": {"q_proj": 1}}, "config-broken"),
        ({"base_model_name_or_path": 7}, "config-broken"),
        ({"r": 512}, "rank-too-high"),
        ({"rank_pattern": {"q_proj": 300}}, "rank-too-high"),
        ({"modules_to_save": ["lm_head"]}, "extra-modules"),
        ({"bias": "all"}, "extra-modules"),
        ({"lora_bias": True}, "extra-modules"),
        ({"trainable_token_indices": [1]}, "extra-modules"),
        ({"layer_replication": [[0, 2]]}, "not-lora"),
        ({"init_lora_weights": "pissa_niter_4"}, "not-lora"),
        ({"base_model_name_or_path": "b/other"}, "other-base"),
    ],
)
def test_each_fault_of_a_configuration_has_its_code(fields: dict[str, Any], code: str) -> None:
    given = judge(config=config("a/base") | fields)
    assert given.code == code
    assert given.reasons


@pytest.mark.parametrize(
    "fields",
    [
        {"a_field_of_the_future": {"x": [1]}},
        {"rank_pattern": {"layers.0.q_proj": 16}, "alpha_pattern": {"q_proj": 3.5}, "use_rslora": True},
        {"target_modules": "all-linear", "bias": None, "modules_to_save": [], "init_lora_weights": "gaussian"},
        {"base_model_name_or_path": None},
        {"base_model_name_or_path": "A/Base/"},
        {"base_model_name_or_path": "/home/someone/models/base"},
    ],
)
def test_what_is_harmless_in_a_configuration_is_tolerated(fields: dict[str, Any]) -> None:
    assert judge(config=config("a/base") | fields).code == "accepted"


@pytest.mark.parametrize(
    ("stated", "bases", "named", "code"),
    [
        ("a/base", (), False, "accepted"),
        ("b/base", ("a/base",), False, "other-base"),
        (None, ("b/base",), True, "other-base"),
        (None, (), True, "accepted"),
        ("/models/base", (), False, "other-base"),
        ("/models/base", (), True, "accepted"),
        ("C:\\models\\base", (), True, "accepted"),
        ("/models/another", (), True, "other-base"),
    ],
)
def test_the_configuration_says_which_base_and_for_local_paths_the_card_or_the_user(
    stated: str | None, bases: tuple[str, ...], named: bool, code: str
) -> None:
    assert judge(listing=listing(stated, bases), named=named).code == code


def test_a_former_name_of_the_base_is_the_base() -> None:
    former = "meta-llama/Meta-Llama-3.1-8B"
    known = listing(former, (former,))
    assert judge(base="meta-llama/Llama-3.1-8B", listing=known, config=config(former)).code == "accepted"


@pytest.mark.parametrize(
    ("stated", "named", "code"),
    [
        ("/models/base", False, "accepted"),
        ("/models/Base", False, "other-base"),
        ("b/other", False, "other-base"),
        ("b/other", True, "accepted"),
    ],
)
def test_a_base_in_a_folder_has_the_adapters_that_name_its_path_or_that_the_user_names(
    stated: str, named: bool, code: str
) -> None:
    known = listing(stated, (stated,))
    assert judge(base="/models/base", listing=known, named=named, config=config(stated)).code == code


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, "header-broken"),
        ({"model.layers.0.q_proj.lora_a": (16, 4)}, "header-broken"),
        (
            shapes() | {A.replace("q_proj", "\x1b[2J"): (4, 16), B.replace("q_proj", "\x1b[2J"): (16, 4)},
            "header-broken",
        ),
        ({A: (4, 16)}, "shape-mismatch"),
        ({A: (4, 16), B: (16, 8)}, "shape-mismatch"),
        ({A: (8, 16), B: (16, 8)}, "shape-mismatch"),
        ({A: (4, 16, 1, 1), B: (16, 4, 1, 1)}, "shape-mismatch"),
        ({A: (4, 0), B: (16, 4)}, "shape-mismatch"),
        (shapes() | {"base_model.model.model.embed_tokens.lora_embedding_A": (4, 100)}, "extra-modules"),
        (shapes() | {"base_model.model.lm_head.weight": (100, 16)}, "vocab-changed"),
        (shapes() | {"base_model.model.model.embed_tokens.base_layer.weight": (100, 16)}, "vocab-changed"),
        (shapes() | {"base_model.model.score.weight": (2, 16)}, "extra-modules"),
        (shapes() | {f"{PREFIX}.q_proj.lora_magnitude_vector.weight": (16,)}, "dora"),
    ],
)
def test_each_fault_of_a_header_has_its_code(header: dict[str, tuple[int, ...]], code: str) -> None:
    assert judge(config=config("a/base"), header=header).code == code


def test_the_rank_that_counts_is_the_one_in_the_weights() -> None:
    given = judge(config=config("a/base", 8), header=shapes(512))
    assert given.code == "shape-mismatch"
    assert given.rank == 512
    assert any("rank 512" in reason and "max_rank" in reason for reason in given.reasons)


def test_a_rank_pattern_allows_its_ranks() -> None:
    header = shapes(4, ("q_proj",)) | shapes(8, ("v_proj",))
    given = judge(config=config("a/base", 4, rank_pattern={"v_proj": 8}), header=header)
    assert (given.code, given.rank) == ("accepted", 8)


@pytest.mark.parametrize(
    ("license_", "licenses", "code"),
    [
        ("mit", ("mit",), "accepted"),
        ("mit", ("MIT",), "accepted"),
        (None, ("mit",), "license-unknown"),
        (None, ("mit", "unknown"), "accepted"),
        ("cc-by-nc-4.0", ("mit", "unknown"), "license-forbidden"),
    ],
)
def test_licences(license_: str | None, licenses: tuple[str, ...], code: str) -> None:
    known = listing(source=Source(repo="a/lora", revision="1" * 40, license=license_))
    assert judge(listing=known, section=DiscoverSection(licenses=licenses)).code == code


def test_the_name_of_another_licence_is_waited_for() -> None:
    known = listing(source=Source(repo="a/lora", revision="1" * 40, license="other"))
    assert judge(listing=known).code == "accepted"
    section = DiscoverSection(licenses=("house-rules",))
    assert judge(listing=known, license="house-rules", section=section).code == "accepted"
    assert judge(listing=known, license="house-rules").code == "license-forbidden"
    assert judge(listing=known, license="other").code == "license-forbidden"
    assert judge(listing=known, license="other", section=DiscoverSection(licenses=("other",))).code == "accepted"


@pytest.mark.parametrize(
    ("size", "issue", "code"),
    [
        (MAX_SIZE, None, "accepted"),
        (MAX_SIZE + 1, None, "too-large"),
        (1, ("training_args.bin", "suspicious"), "accepted"),
        (1, ("training_args.bin", "malicious"), "unsafe-scan"),
        (1, (WEIGHTS, "suspicious"), "unsafe-scan"),
    ],
)
def test_sizes_and_scans(size: int, issue: tuple[str, str] | None, code: str) -> None:
    known = listing(sizes={"adapter_model.safetensors": size}, issues=(issue,) if issue else ())
    assert judge(config=config("a/base"), listing=known).code == code
    assert judge(config=config("a/base"), size=size).code == ("accepted" if issue else code)


def test_every_reason_is_told_and_the_first_is_the_verdict() -> None:
    known = listing("b/other", files=("adapter_config.json", "adapter_model.bin"), gated=True)
    given = judge(listing=known)
    assert given.code == "other-base"
    assert len(given.reasons) == 3


def test_strangers_text_is_cut_and_its_control_characters_are_marked() -> None:
    assert brief("a\x1b[31m\nb" + "x" * 500) == "a\ufffd[31m b" + "x" * 71 + "…"
    (reason,) = judge(config=config("a/base") | {"peft_type": "\x1b[2J" + "Z" * 10_000}).reasons
    assert len(reason) < 120
    assert reason.isprintable()


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3))
FIELDS = [
    "r", "lora_alpha", "rank_pattern", "alpha_pattern", "target_modules", "bias", "modules_to_save", "use_dora",
    "use_rslora", "lora_bias", "base_model_name_or_path", "init_lora_weights", "trainable_token_indices",
    "layer_replication", "fan_in_fan_out", "peft_type",
]  # fmt: skip
configs = values | st.dictionaries(st.sampled_from(FIELDS), values).map(lambda fields: {"peft_type": "LORA", **fields})
names = st.sampled_from([A, B, A.replace("q_proj", "v.q"), "x", "base_model.model.lm_head.weight"]) | st.text(
    max_size=9
)
headers = st.none() | st.dictionaries(names, st.lists(st.integers(0, 2**31), max_size=4).map(tuple), max_size=6)


@settings(max_examples=300, deadline=None)
@given(configs, headers)
def test_a_verdict_is_given_on_any_configuration_and_header(
    config: Any, header: dict[str, tuple[int, ...]] | None
) -> None:
    given = judge(config=config, header=header)
    assert given.code in (*CODES, "accepted")
    assert (given.code == "accepted") == (not given.reasons)
    assert all(reason.isprintable() and len(reason) < 400 for reason in given.reasons)


@pytest.mark.parametrize(
    ("file", "code", "rank"),
    [
        ("AnHu2410__MD_crosslingual__1", "not-lora", None),
        ("Inishpy__lerobot-libero__1", "not-lora", None),
        ("LTtt456c__InternLM_AdapterModel__1", "accepted", 64),
        ("branbot6__sift-opf-zh__1", "extra-modules", 16),
        ("huggingface__peft__27", "not-lora", 14),
        ("huggingface__peft__28", "dora", 32),
        ("huggingface__peft__32", "accepted", 64),
        ("huggingface__peft__61", "not-lora", None),
        ("huggingface__peft__88", "not-lora", None),
        ("kirilssw__Phishing-analyzer-LoRA__1", "accepted", 8),
        ("wujindou__BLOOM-LORA__1", "not-lora", 8),
    ],
)
def test_real_configurations_get_the_verdict_they_deserve(file: str, code: str, rank: int | None) -> None:
    real = json.loads((REAL / f"{file}.json").read_text())
    base = real.get("base_model_name_or_path") or "a/base"
    given = judge(base=base, listing=listing(base, (base,)), config=real)
    assert (given.code, given.rank) == (code, rank)


def test_the_documentation_names_exactly_the_codes_there_are() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reason-codes.md").read_text()
    found, at_load = text.split("## Codes given at load")
    documented = [line.split("`")[1] for line in found.splitlines() if line.startswith("| `")]
    assert sorted(documented) == sorted(CODES)
    loaded = [line.split("`")[1] for line in at_load.split("## ")[0].splitlines() if line.startswith("| `")]
    fetched = {f"{DOWNLOAD}{kind}" for kind in ("gated", "missing", "failing", "broken")}
    assert sorted(loaded) == sorted({BROKEN, SHAPE, NAN, NO_OP, CONVERSION, "unsafe-scan", *fetched})
