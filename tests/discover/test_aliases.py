import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.discover.aliases import (
    AmbiguousBaseError,
    UnknownBaseError,
    canonical_base,
    names_of,
    plain,
    same_base,
    short_name,
    split_base,
)
from hubexpert.discover.known import BASES, FORMER_NAMES, SEVERAL, SYNONYMS
from hubexpert.discover.tables import expanded
from hubexpert.errors import HubExpertError


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("llama-2-7b", ("meta-llama/Llama-2-7b-hf", None)),
        ("Llama 2 7B", ("meta-llama/Llama-2-7b-hf", None)),
        ("LLAMA_2_7B@main", ("meta-llama/Llama-2-7b-hf", "main")),
        ("Llama-2-7b-hf", ("meta-llama/Llama-2-7b-hf", None)),
        ("llama-3-8b", ("meta-llama/Meta-Llama-3-8B", None)),
        ("Meta-Llama-3.1-8B", ("meta-llama/Llama-3.1-8B", None)),
        ("mistral 7b v0.3", ("mistralai/Mistral-7B-v0.3", None)),
        ("qwen2.5-0.5b", ("Qwen/Qwen2.5-0.5B", None)),
        ("qwen3-8b", ("Qwen/Qwen3-8B", None)),
        ("qwen3-8b-base", ("Qwen/Qwen3-8B-Base", None)),
        ("smollm2-135m", ("HuggingFaceTB/SmolLM2-135M", None)),
        ("smollm-135m", ("HuggingFaceTB/SmolLM-135M", None)),
        ("phi 2", ("microsoft/phi-2", None)),
        ("phi-1.5", ("microsoft/phi-1_5", None)),
        ("gpt2", ("openai-community/gpt2", None)),
        ("codellama-7b-instruct", ("codellama/CodeLlama-7b-Instruct-hf", None)),
        (" some/Model ", ("some/Model", None)),
        ("some/Model@v1", ("some/Model", "v1")),
        ("/models/base@home/", ("/models/base@home", None)),
        ("./base", ("./base", None)),
    ],
)
def test_what_people_write_becomes_an_id_and_a_revision(written: str, base: tuple[str, str | None]) -> None:
    assert canonical_base(written) == base
    assert split_base(written)[1] == base[1]


def test_only_a_path_is_a_folder_whatever_lies_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("phi-2", "some/model"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert canonical_base("phi-2") == ("microsoft/phi-2", None)
    assert canonical_base("some/model@v1") == ("some/model", "v1")
    assert canonical_base("./phi-2") == ("./phi-2", None)


def test_every_known_base_is_found_by_its_own_name_so_no_two_share_one() -> None:
    assert {repo: canonical_base(repo.partition("/")[2])[0] for repo in BASES} == {repo: repo for repo in BASES}


def test_what_may_be_left_out_of_a_name_never_makes_it_that_of_a_third_model() -> None:
    exact = {plain(repo.partition("/")[2]): repo for repo in BASES}
    for repo in BASES:
        short = plain(short_name(repo))
        assert canonical_base(short)[0] == exact.get(short, repo)


def test_every_synonym_has_its_one_meaning_and_is_about_a_known_base() -> None:
    assert {name: canonical_base(name)[0] for name in SYNONYMS} == SYNONYMS
    assert set(SYNONYMS.values()) <= set(BASES)
    assert set(FORMER_NAMES.values()) <= set(BASES)


@pytest.mark.parametrize("name", SEVERAL)
def test_a_name_of_several_known_bases_is_never_guessed(name: str) -> None:
    with pytest.raises(AmbiguousBaseError) as caught:
        canonical_base(name.upper().replace("-", " "))
    assert caught.value.choices == SEVERAL[name]
    assert set(caught.value.choices) <= set(BASES)
    assert all(choice in caught.value.message for choice in caught.value.choices)
    assert "give one of them: --base ID" in caught.value.fix


@pytest.mark.parametrize(
    ("name", "endings"),
    [
        ("mistral-7b", ["v0.1", "v0.3"]),
        ("mistral-7b-instruct", ["v0.1", "v0.2", "v0.3"]),
        ("phi-3-mini", ["4k-instruct", "128k-instruct"]),
        ("gemma-3-1b", ["pt", "it"]),
        ("deepseek-coder-6.7b", ["base", "instruct"]),
    ],
)
def test_the_choices_are_those_that_people_may_mean(name: str, endings: list[str]) -> None:
    with pytest.raises(AmbiguousBaseError) as caught:
        canonical_base(name)
    assert [choice.lower().partition(f"{name}-")[2] for choice in caught.value.choices] == endings


@pytest.mark.parametrize("name", ["nonsense-9000", "llama-27b", "llama-2", "\x1b[2J" * 100])
def test_an_unknown_alias_is_an_error_with_a_way_out(name: str) -> None:
    with pytest.raises(UnknownBaseError) as caught:
        canonical_base(name)
    assert "owner/name" in caught.value.fix
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("name", ["", "@main", "--", " _ "])
def test_a_base_without_a_name_is_an_error_that_no_search_can_mend(name: str) -> None:
    with pytest.raises(HubExpertError) as caught:
        canonical_base(name)
    assert not isinstance(caught.value, UnknownBaseError)
    assert "owner/name" in caught.value.fix


def test_names_are_compared_without_case() -> None:
    assert same_base("Meta-Llama/llama-2-7B-hf/", "meta-llama/Llama-2-7b-hf")
    assert not same_base("meta-llama/Llama-2-13b-hf", "meta-llama/Llama-2-7b-hf")


def test_a_former_name_and_the_present_one_are_the_same_in_both_directions() -> None:
    former, present = "meta-llama/Meta-Llama-3.1-8B", "meta-llama/Llama-3.1-8B"
    assert same_base(former, present)
    assert same_base(present, former)
    assert names_of(present) == (present, former)
    assert names_of(former) == (former, present)
    assert same_base("gpt2", "openai-community/gpt2")
    assert not same_base("gpt2", "openai-community/gpt2-medium")


def test_a_base_in_another_case_is_looked_for_as_the_hub_writes_it_too() -> None:
    assert names_of("qwen/qwen3-8b") == ("qwen/qwen3-8b", "Qwen/Qwen3-8B")


def test_a_folder_is_only_itself() -> None:
    assert same_base("/data/Base/", "/data/Base")
    assert not same_base("/data/base", "/data/Base")


@given(st.text(st.sampled_from("ab27.-_ "), max_size=12))
def test_a_plain_name_stays_what_it_is_and_no_digits_run_together(name: str) -> None:
    assert plain(plain(name)) == plain(name)
    assert plain(name.upper().replace("-", "_")) == plain(name)
    assert re.findall("[27]+", plain(name)) == re.findall("[27]+", name)


def test_a_pattern_stands_for_each_of_its_options() -> None:
    assert expanded("a/B-{1,2}{,-x} c") == ("a/B-1", "a/B-1-x", "a/B-2", "a/B-2-x", "c")
