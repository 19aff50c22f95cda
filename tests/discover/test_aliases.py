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
        ("phi 2", ("microsoft/phi-2", None)),
        ("some/Model", ("some/Model", None)),
        ("some/Model@v1", ("some/Model", "v1")),
        ("/models/base@home/", ("/models/base@home", None)),
        ("./base", ("./base", None)),
    ],
)
def test_what_people_write_becomes_an_id_and_a_revision(written: str, base: tuple[str, str | None]) -> None:
    assert canonical_base(written) == base


def test_only_a_path_is_a_folder_whatever_lies_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mistral-7b", "some/model"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert canonical_base("mistral-7b") == ("mistralai/Mistral-7B-v0.1", None)
    assert canonical_base("some/model@v1") == ("some/model", "v1")
    assert canonical_base("./mistral-7b") == ("./mistral-7b", None)


def test_a_revision_stays_with_the_alias() -> None:
    assert resolve_alias("phi-2@abc") == "microsoft/phi-2@abc"


@pytest.mark.parametrize("name", ["", "nonsense-9000", "@main", "gpt2"])
def test_an_unknown_alias_is_an_error_with_a_way_out(name: str) -> None:
    with pytest.raises(HubExpertError) as caught:
        canonical_base(name)
    assert "owner/name" in caught.value.fix


def test_names_are_compared_without_case() -> None:
    assert same_base("Meta-Llama/llama-2-7B-hf/", "meta-llama/Llama-2-7b-hf")
    assert not same_base("meta-llama/Llama-2-13b-hf", "meta-llama/Llama-2-7b-hf")


def test_a_folder_is_only_itself() -> None:
    assert same_base("/data/Base/", "/data/Base")
    assert not same_base("/data/base", "/data/Base")
