from pathlib import Path

import pytest

from hubexpert.discover.aliases import canonical_base, resolve_alias, same_base
from hubexpert.errors import HubExpertError


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("llama-2-7b", ("meta-llama/Llama-2-7b-hf", None)),
        ("Llama 2 7B", ("meta-llama/Llama-2-7b-hf", None)),
        ("LLAMA_2_7B@main", ("meta-llama/Llama-2-7b-hf", "main")),
        ("Llama-2-7b-hf", ("meta-llama/Llama-2-7b-hf", None)),
        ("qwen2.5-0.5b", ("Qwen/Qwen2.5-0.5B", None)),
        ("smollm2-135m", ("HuggingFaceTB/SmolLM2-135M", None)),
        ("gpt2", ("openai-community/gpt2", None)),
        ("some/Model", ("some/Model", None)),
        ("some/Model@v1", ("some/Model", "v1")),
        ("/models/base@home/", ("/models/base@home", None)),
        ("./base", ("./base", None)),
    ],
)
def test_what_people_write_becomes_an_id_and_a_revision(written: str, base: tuple[str, str | None]) -> None:
    assert canonical_base(written) == base


def test_a_folder_with_a_model_in_it_is_no_alias(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mistral-7b").mkdir()
    monkeypatch.chdir(tmp_path)
    assert canonical_base("mistral-7b")[0] == "mistralai/Mistral-7B-v0.1"
    (tmp_path / "mistral-7b" / "config.json").write_text("{}")
    assert canonical_base("mistral-7b")[0] == "mistral-7b"


def test_a_revision_stays_with_the_alias() -> None:
    assert resolve_alias("phi-2@abc") == "microsoft/phi-2@abc"


@pytest.mark.parametrize("name", ["", "nonsense-9000", "@main"])
def test_an_unknown_alias_is_an_error_with_a_way_out(name: str) -> None:
    with pytest.raises(HubExpertError) as caught:
        canonical_base(name)
    assert "owner/name" in caught.value.fix


def test_names_are_compared_without_case() -> None:
    assert same_base("Meta-Llama/llama-2-7B-hf/", "meta-llama/Llama-2-7b-hf")
    assert not same_base("meta-llama/Llama-2-13b-hf", "meta-llama/Llama-2-7b-hf")
