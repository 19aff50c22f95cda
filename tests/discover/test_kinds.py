"""Adapters of other types that convert to a LoRA: which are accepted, and what is refused before anything is loaded."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING

from hubexpert.discover.family import family
from hubexpert.discover.remarks import LORA_FIELDS
from hubexpert.discover.verdict import Evidence, Verdict, verdict
from hubexpert.kinds import CONVERTIBLE
from hubexpert.recipe import DiscoverSection
from tests.discover.making import PREFIX, config, listing

Q = f"{PREFIX}.q_proj"
Header = dict[str, tuple[int, ...]]


def judge(fields: dict[str, Any], header: Header | None = None) -> Verdict:
    stated = {"base_model_name_or_path": "a/base", "target_modules": ["q_proj"], **fields}
    return verdict(
        Evidence(
            family("a/base", (), ()),
            section=DiscoverSection(max_rank=64),
            listing=listing(),
            config=stated,
            header=header,
        )
    )


def loha(rank: int = 4, inputs: int = 16, outputs: int = 16) -> Header:
    return {
        f"{Q}.hada_w{i}_{side}": shape
        for i in (1, 2)
        for side, shape in (("a", (outputs, rank)), ("b", (rank, inputs)))
    }


def lokr(w1: tuple[int, ...] = (4, 4), w2: tuple[int, ...] = (4, 4)) -> Header:
    return {f"{Q}.lokr_w1": w1, f"{Q}.lokr_w2": w2}


def adalora(rank: int = 4) -> Header:
    return {f"{Q}.lora_A": (rank, 16), f"{Q}.lora_E": (rank, 1), f"{Q}.lora_B": (16, rank)}


DELORA: Header = {
    f"{Q}.delora_A": (4, 16),
    f"{Q}.delora_B": (16, 4),
    f"{Q}.delora_lambda": (1,),
    f"{Q}.delora_w_norm": (16,),
}
GRALORA: Header = {f"{Q}.gralora_A": (2, 8, 4), f"{Q}.gralora_B": (2, 4, 8)}
LOW_RANK_W2: Header = {f"{Q}.lokr_w1": (4, 4), f"{Q}.lokr_w2_a": (4, 2), f"{Q}.lokr_w2_b": (2, 4)}


@pytest.mark.parametrize(
    ("fields", "header", "rank", "remark"),
    [
        ({"peft_type": "LOHA", "r": 4, "alpha": 8}, loha(), 4, "a LoHa"),
        ({"peft_type": "LOHA", "r": 8, "rank_pattern": {"q_proj": 4}}, loha(), 4, "a LoHa"),
        ({"peft_type": "LOKR", "r": 4, "alpha": 8.5}, lokr(), None, "a LoKr"),
        ({"peft_type": "LOKR", "r": 2, "decompose_factor": -1, "decompose_both": False}, LOW_RANK_W2, 2, "a LoKr"),
        ({"peft_type": "ADALORA", "init_r": 4, "r": 8, "rank_pattern": None}, adalora(), 4, "an AdaLoRA"),
        ({"peft_type": "ADALORA", "rank_pattern": {f"{Q}.lora_E": [True, False]}}, adalora(1), 1, "an AdaLoRA"),
        (
            {"peft_type": "ADALORA"},
            adalora(2) | {k.replace("q_", "v_"): s for k, s in adalora(0).items()},
            2,
            "an AdaLoRA",
        ),
        ({"peft_type": "DELORA", "r": 4, "delora_lambda": 15}, DELORA, 4, "a DeLoRA"),
        ({"peft_type": "GRALORA", "r": 4, "gralora_k": 2, "hybrid_r": 0}, GRALORA, 4, "a GraLoRA"),
        ({"peft_type": "MISS", "r": 4}, {f"{Q}.miss_block": (4, 16)}, 4, "a MiSS"),
    ],
)
def test_a_type_that_converts_is_accepted_and_the_remark_says_so(
    fields: dict[str, Any], header: Header, rank: int | None, remark: str
) -> None:
    given = judge(fields, header)
    assert (given.code, given.rank, given.peft_type) == ("accepted", rank, fields["peft_type"]), given.reasons
    assert given.target_modules[0] == "q_proj"
    assert given.remarks == (f"It is {remark}: it is converted to a LoRA when it is loaded.",)


@pytest.mark.parametrize(
    "peft_type", sorted({kind.value for kind in PEFT_TYPE_TO_CONFIG_MAPPING} - {"LORA", *CONVERTIBLE})
)
def test_every_other_type_that_peft_has_is_not_a_lora(peft_type: str) -> None:
    assert judge({"peft_type": peft_type}).code == "not-lora"


def test_peft_itself_converts_each_of_these_types_but_adalora() -> None:
    """Which is a LoRA with a diagonal between its factors, so that no approximation is needed."""
    unsupported = set()
    for name in CONVERTIBLE:
        (layer,) = {*_linear_layers(PEFT_TYPE_TO_TUNER_MAPPING[name])}
        if not layer.supports_lora_conversion(object.__new__(layer)):
            unsupported.add(name)
    assert unsupported == {"ADALORA"}


def _linear_layers(tuner: Any) -> list[Any]:
    """The layer class which the tuner puts in the place of a linear layer."""
    import sys

    module = sys.modules[tuner.__module__.removesuffix(".model") + ".layer"]
    return [
        found
        for name, found in vars(module).items()
        if name.endswith("Linear") and isinstance(found, type) and hasattr(found, "supports_lora_conversion")
    ]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"peft_type": "LOHA", "r": 10**9}, "rank-too-high"),
        ({"peft_type": "LOHA", "r": 10**4000}, "config-broken"),
        ({"peft_type": "LOHA", "r": 0}, "config-broken"),
        ({"peft_type": "LOHA", "r": True}, "config-broken"),
        ({"peft_type": "LOHA", "alpha": float("nan")}, "config-broken"),
        ({"peft_type": "LOHA", "rank_pattern": {"q_proj": 10**9}}, "rank-too-high"),
        ({"peft_type": "LOHA", "rank_pattern": {"(a+)+$": 4}}, "config-broken"),
        ({"peft_type": "LOKR", "alpha_pattern": {"(a+)+$": 4}}, "config-broken"),
        ({"peft_type": "LOKR", "rank_pattern": [4]}, "config-broken"),
        ({"peft_type": "LOKR", "decompose_factor": "x"}, "config-broken"),
        ({"peft_type": "LOKR", "decompose_factor": 10**30}, "config-broken"),
        ({"peft_type": "LOKR", "target_modules": {"q": 1}}, "config-broken"),
        ({"peft_type": "ADALORA", "init_r": 10**9}, "rank-too-high"),
        ({"peft_type": "ADALORA", "init_r": "12"}, "config-broken"),
        ({"peft_type": "ADALORA", "use_dora": True}, "dora"),
        ({"peft_type": "GRALORA", "r": 8, "hybrid_r": 10**9}, "rank-too-high"),
        ({"peft_type": "MISS", "r": 8, "init_weights": "bat"}, "not-lora"),
        ({"peft_type": "LOHA", "modules_to_save": ["lm_head"]}, "extra-modules"),
        ({"peft_type": "DELORA", "bias": "all"}, "extra-modules"),
        ({"peft_type": "GRALORA", "r": 8, "fan_in_fan_out": True}, "not-lora"),
        ({"peft_type": "LOHA", "base_model_name_or_path": "b/other"}, "other-base"),
    ],
)
def test_each_fault_in_the_configuration_of_such_a_type_has_its_code(fields: dict[str, Any], code: str) -> None:
    assert judge(fields).code == code


@pytest.mark.parametrize(
    ("fields", "header", "code"),
    [
        ({"peft_type": "LOHA", "r": 4}, {}, "header-broken"),
        ({"peft_type": "LOHA", "r": 4}, adalora(), "header-broken"),
        ({"peft_type": "LOHA", "r": 4}, loha() | {"base_model.model.lm_head.weight": (100, 16)}, "extra-modules"),
        ({"peft_type": "LOHA", "r": 4}, loha() | {f"{Q}.hada_t1": (4, 4, 3, 3)}, "extra-modules"),
        ({"peft_type": "LOHA", "r": 4}, {k: s for k, s in loha().items() if "w2_b" not in k}, "shape-mismatch"),
        ({"peft_type": "LOHA", "r": 4}, loha() | {f"{Q}.hada_w2_a": (16, 5)}, "shape-mismatch"),
        ({"peft_type": "LOHA", "r": 4}, loha() | {f"{Q}.hada_w2_a": (16, 4, 1, 1)}, "shape-mismatch"),
        ({"peft_type": "LOHA", "r": 4}, loha(0), "shape-mismatch"),
        ({"peft_type": "LOHA", "r": 4}, loha(5), "shape-mismatch"),
        ({"peft_type": "LOHA", "r": 4}, loha(4, 2**21, 16), "shape-mismatch"),
        ({"peft_type": "LOKR", "r": 4}, lokr((2**11, 4), (2**11, 4)), "shape-mismatch"),
        ({"peft_type": "LOKR", "r": 4}, lokr((4, 2**30), (4, 2**30)), "shape-mismatch"),
        ({"peft_type": "ADALORA", "init_r": 4}, adalora(5), "shape-mismatch"),
        ({"peft_type": "DELORA", "r": 4}, {k: s for k, s in DELORA.items() if "w_norm" not in k}, "shape-mismatch"),
    ],
)
def test_each_fault_in_the_header_of_such_a_type_has_its_code(
    fields: dict[str, Any], header: Header, code: str
) -> None:
    assert judge(fields, header).code == code


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=5), scalars, max_size=3)
FIELDS = [
    "r",
    "init_r",
    "alpha",
    "lora_alpha",
    "rank_pattern",
    "alpha_pattern",
    "hybrid_r",
    "init_weights",
    "gralora_k",
]
names = st.sampled_from([*loha(), *lokr(), *adalora(), *DELORA, *GRALORA, "x"])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(CONVERTIBLE)),
    st.dictionaries(st.sampled_from(FIELDS), values),
    st.none() | st.dictionaries(names, st.lists(st.integers(0, 2**31), max_size=4).map(tuple), max_size=6),
)
def test_a_verdict_is_given_on_whatever_such_a_type_holds(
    peft_type: str, fields: dict[str, Any], header: Header | None
) -> None:
    given = judge({**fields, "peft_type": peft_type}, header)
    assert (given.code == "accepted") == (not given.reasons)
    assert all(reason.isprintable() and len(reason) < 400 for reason in given.reasons)


@pytest.mark.parametrize("name", sorted(CONVERTIBLE))
def test_what_is_assumed_of_a_type_is_what_peft_says(name: str) -> None:
    """Its default rank and the fields whose names are written down here."""
    fields = {field.name: field.default for field in dataclasses.fields(PEFT_TYPE_TO_CONFIG_MAPPING[name])}
    kind = CONVERTIBLE[name]
    assert fields[kind.rank] == kind.default_rank
    assert {*kind.fields, kind.alpha or kind.rank} <= fields.keys()
    assert kind.pruned or kind.patterns == ("rank_pattern" in fields)


def test_the_fields_of_a_lora_are_those_of_the_installed_peft() -> None:
    assert {field.name for field in dataclasses.fields(LoraConfig)} == LORA_FIELDS


def test_unknown_fields_are_named_and_nothing_more() -> None:
    given = judge(config("a/base", new_b=1, **{"new_a\x1b[2J": 2}, peft_version="9.0", revision=None))
    assert given.code == "accepted"
    assert given.remarks == ("Its configuration has fields that are unknown here: new_a\ufffd[2J, new_b.",)
    assert judge(config("a/base")).remarks == ()
