import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hubexpert.discover.family import Family, family, known_mirrors
from hubexpert.discover.known import BASES
from hubexpert.discover.mirrors import MIRRORS
from hubexpert.records import Relation

LLAMA, QWEN = "meta-llama/Llama-2-7b-hf", "Qwen/Qwen2.5-7B"


def alone(base: str) -> Family:
    """The base of whose relatives the Hub says nothing."""
    return family(base, (), ())


@pytest.mark.parametrize(
    ("base", "name", "relation"),
    [
        (LLAMA, "meta-llama/llama-2-7b-hf/", "same"),
        (LLAMA, "NousResearch/Llama-2-7b-hf", "mirror"),
        (LLAMA, "unsloth/llama-2-7b", "mirror"),
        (LLAMA, "TheBloke/Llama-2-7B-fp16", "mirror"),
        (LLAMA, "unsloth/llama-2-7b-bnb-4bit", "quantized"),
        (LLAMA, "TheBloke/Llama-2-7B-GPTQ", "quantized"),
        (LLAMA, "TheBloke/Llama-2-7B-GPTQ-4bit-128g", "quantized"),
        (LLAMA, "TheBloke/Llama-2-7B-Chat-GPTQ", None),
        (LLAMA, "unsloth/llama-2-7b-chat-bnb-4bit", None),
        (LLAMA, "unsloth/llama-2-13b-bnb-4bit", None),
        (LLAMA, "meta-llama/Llama-2-7b-chat-hf", None),
        (LLAMA, "someone/Llama-2-7b-hf", None),
        (LLAMA, "someone/llama-2-7b-bnb-4bit", None),
        (LLAMA, "/models/llama-2-7b", None),
        (LLAMA, "llama-2-7b", None),
        (QWEN, "unsloth/Qwen2.5-7B-unsloth-bnb-4bit", "quantized"),
        (QWEN, "mlx-community/Qwen2.5-7B-8bit", "quantized"),
        (QWEN, "unsloth/Qwen2.5-7B-Instruct-bnb-4bit", None),
        (QWEN, "unsloth/Qwen2.5-Coder-7B", None),
        (f"{QWEN}-Instruct", "unsloth/Qwen2.5-7B-Instruct-bnb-4bit", "quantized"),
        (f"{QWEN}-Instruct", "unsloth/Qwen2.5-7B-bnb-4bit", None),
        ("meta-llama/Meta-Llama-3-8B", "unsloth/llama-3-8b", "mirror"),
        ("meta-llama/Meta-Llama-3-8B", "unsloth/llama-3-8b-Instruct-bnb-4bit", None),
        ("meta-llama/Llama-3.1-8B-Instruct", "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", "quantized"),
        ("mistralai/Mistral-7B-v0.1", "unsloth/mistral-7b", "mirror"),
        ("mistralai/Mistral-7B-v0.3", "unsloth/mistral-7b", None),
        ("mistralai/Mistral-7B-v0.1", "ybelkada/Mistral-7B-v0.1-bf16-sharded", "mirror"),
        ("HuggingFaceTB/SmolLM2-135M", "unsloth/SmolLM-135M", None),
        ("HuggingFaceTB/SmolLM-135M", "unsloth/SmolLM2-135M-bnb-4bit", None),
        ("huggyllama/llama-7b", "decapoda-research/llama-7b-hf", "mirror"),
        ("codellama/CodeLlama-13b-hf", "meta-llama/CodeLlama-13b-hf", "mirror"),
        ("microsoft/phi-4", "unsloth/phi-4", None),
        ("microsoft/Phi-3-mini-4k-instruct", "unsloth/Phi-3-mini-4k-instruct-bnb-4bit", None),
        ("some/Unheard-9B-hf", "unsloth/unheard-9b-bnb-4bit", "quantized"),
        ("allenai/OLMo-7B-hf", "TheBloke/OLMo-7B-fp16", None),
    ],
)
def test_a_name_alone_counts_only_where_a_well_known_mirror_carries_one_of_the_bases(
    base: str, name: str, relation: Relation | None
) -> None:
    assert alone(base).relation(name) == relation
    assert alone(base).relation(f"  {name.upper()}/ ") == relation


def test_what_the_hub_lists_counts_whoever_owns_it() -> None:
    known = family(QWEN, ["me/Anything-GPTQ"], ["you/Tuned", "Qwen/Qwen2.5-7B-Instruct"])
    assert known.relation("Me/anything-gptq") == "quantized"
    assert known.relation("you/tuned") == "finetune"
    assert known.relation("Qwen/Qwen2.5-7B-Instruct") == "finetune"
    assert known.relation("they/else") is None
    assert known.finetunes == {"you/tuned", "qwen/qwen2.5-7b-instruct"}


def test_mirrors_that_the_hub_lists_as_fine_tunes_are_mirrors() -> None:
    known = family(QWEN, (), ["unsloth/Qwen2.5-7B", "ybelkada/Qwen2.5-7B-sharded", "mlx-community/Qwen2.5-7B-4bit"])
    assert {"unsloth/qwen2.5-7b", "ybelkada/qwen2.5-7b-sharded"} <= known.mirrors
    assert "mlx-community/qwen2.5-7b-4bit" in known.quantized
    assert not known.finetunes


def test_a_quantised_copy_of_an_instruct_model_is_no_copy_of_the_base_even_if_its_card_says_so() -> None:
    wrong = ["unsloth/Qwen2.5-7B-Instruct-bnb-4bit", "me/Qwen2.5-7B-it-GGUF", "me/Qwen2.5-Coder-7B-AWQ"]
    known = family(QWEN, wrong, ())
    assert {known.relation(name) for name in wrong} == {"finetune"}
    right = family(f"{QWEN}-Instruct", wrong[:2], ())
    assert {right.relation(name) for name in wrong[:2]} == {"quantized"}


def test_a_model_rebuilt_in_another_layout_is_no_copy() -> None:
    known = family("microsoft/phi-4", ["unsloth/phi-4-unsloth-bnb-4bit"], ["unsloth/phi-4"])
    assert known.relation("unsloth/phi-4") == "finetune"
    assert known.relation("unsloth/phi-4-unsloth-bnb-4bit") == "finetune"


def test_the_base_is_none_of_its_relatives_under_any_of_its_names() -> None:
    former = "meta-llama/Meta-Llama-3.1-8B"
    known = family("meta-llama/Llama-3.1-8B", [former], ["meta-llama/Llama-3.1-8B"])
    assert known.relation(former) == "same"
    assert former.lower() not in known.quantized | known.mirrors | known.finetunes


def test_a_folder_has_no_relatives() -> None:
    known = family("/models/base", ["a/b"], ["c/d"])
    assert known == Family("/models/base", frozenset(), frozenset(), frozenset())
    assert known.relation("/models/base/") == "same"
    assert known.relation("/models/Base") is None
    assert known.relation("unsloth/base") is None


def test_the_table_of_mirrors_is_about_known_bases_and_every_mirror_has_one() -> None:
    bases = {base.lower(): base for base in BASES}
    assert set(MIRRORS) <= set(bases)
    for base, mirrors in MIRRORS.items():
        assert 0 < len(mirrors) <= 6
        for mirror in mirrors:
            assert [other for other in BASES if alone(other).relation(mirror)] == [bases[base]]


def test_mirrors_are_known_for_every_name_of_the_base() -> None:
    assert "unsloth/llama-2-7b-bnb-4bit" in known_mirrors(LLAMA.upper())
    assert known_mirrors("meta-llama/Meta-Llama-3.1-8B") == known_mirrors("meta-llama/Llama-3.1-8B") != ()
    assert known_mirrors("some/model") == known_mirrors("./folder") == ()


ids = st.text(max_size=30) | st.builds(
    "{}/{}{}".format,
    st.sampled_from(["unsloth", "TheBloke", "me", ""]),
    st.sampled_from(["llama-2-7b", "Llama-2-7b-Chat", "phi-4", ""]) | st.text(max_size=5),
    st.sampled_from(["-bnb-4bit", "-GPTQ", "-hf-sharded-bf16", "-4bit-128g", "-Instruct", "/", ""]),
)


@given(ids, st.lists(ids, max_size=3), st.lists(ids, max_size=3), ids | st.sampled_from([LLAMA, "/models/x"]))
@example("unsloth/" + "-4bit" * 100_000, [], [], LLAMA)
@example(LLAMA, ["unsloth/" + "-4bit" * 100_000], [], LLAMA)
def test_any_text_has_a_relation_or_none_whatever_its_case(
    name: str, quantized: list[str], finetunes: list[str], base: str
) -> None:
    known = family(base, quantized, finetunes)
    found = known.relation(name)
    assert found in ("same", "mirror", "quantized", "finetune", None)
    if name.isascii() and not base.startswith(("/", "./", "../", "~")):
        assert known.relation(name.swapcase()) == found
        assert known.relation(f" {name} ") == found
    for listed in quantized:
        assert known.relation(listed) is not None or base.startswith(("/", "./", "../", "~"))
