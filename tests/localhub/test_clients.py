"""The libraries people use, unmodified, against the Hub of the whole test run (`HF_ENDPOINT`)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import EvalResult, HfApi, ModelCard, ModelCardData, metadata_update

# What these libraries warn about is theirs to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def own(new_id: Callable[..., str]) -> str:
    return new_id("client", "tester")


def test_a_dataset_is_loaded_whole_streamed_and_pushed(own: str, token: str, tmp_path: Path) -> None:
    import datasets

    api = HfApi(token=token)
    api.create_repo(own, repo_type="dataset")
    rows = "".join(f'{{"q": "q{n}", "a": {n}}}\n' for n in range(30))
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n  - {split: train, path: data/*.jsonl}\n---\n"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text(rows)
    (tmp_path / "README.md").write_text(card)
    api.upload_folder(repo_id=own, repo_type="dataset", folder_path=tmp_path)
    loaded = datasets.load_dataset(own, split="train", token=token)
    assert loaded.column_names == ["q", "a"] and loaded[29]["a"] == 29
    sha = api.dataset_info(own).sha
    streamed = datasets.load_dataset(own, split="train", streaming=True, revision=sha, token=token)
    assert next(iter(streamed)) == {"q": "q0", "a": 0}
    pushed = f"{own}-pushed"
    datasets.Dataset.from_dict({"x": [1, 2, 3]}).push_to_hub(pushed, token=token)
    assert datasets.load_dataset(pushed, split="train", token=token)["x"][:] == [1, 2, 3]
    assert "format:parquet" in (api.dataset_info(pushed).tags or [])


def test_a_base_and_its_adapter_are_pushed_and_loaded(own: str, token: str) -> None:
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    base = LlamaForCausalLM(LlamaConfig(vocab_size=32, max_position_embeddings=32, **sizes))
    base.push_to_hub(own, token=token)
    again: Any = AutoModelForCausalLM.from_pretrained(own, token=token)
    adapted: Any = get_peft_model(again, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    adapter = f"{own}-lora"
    adapted.push_to_hub(adapter, token=token)
    fresh: Any = AutoModelForCausalLM.from_pretrained(own, token=token)
    loaded: Any = PeftModel.from_pretrained(fresh, adapter, token=token)
    tokens = torch.arange(8)[None]
    with torch.no_grad():
        assert torch.equal(adapted(tokens).logits, loaded(tokens).logits)
        assert not torch.equal(base(tokens).logits, loaded(tokens).logits)
    info = HfApi(token=token).model_info(adapter)
    assert info.config is not None and info.config["peft"]["base_model_name_or_path"] == own
    # The card that transformers 5 writes says nothing of PEFT or the base; the files still do.
    assert "peft" in (info.tags or []) and not any(tag.startswith("base_model:") for tag in info.tags or [])
    assert info.downloads and info.downloads >= 1
    shape = HfApi(token=token).parse_safetensors_file_metadata(adapter, "adapter_model.safetensors")
    assert {tuple(t.shape) for t in shape.tensors.values()} == {(2, 16), (16, 2)}
    assert HfApi(token=token).get_safetensors_metadata(own).parameter_count


def test_cards_go_back_and_forth(own: str, token: str) -> None:
    HfApi(token=token).create_repo(own)
    result = EvalResult(
        task_type="text-generation", dataset_type="org/d", dataset_name="D", metric_type="f1", metric_value=0.5
    )
    data = ModelCardData(model_name="m", eval_results=[result], base_model="org/base", license="mit")
    ModelCard(f"---\n{data.to_yaml()}\n---\n# m\n").push_to_hub(own, token=token)
    metadata_update(own, {"tags": ["new"]}, token=token)
    read = ModelCard.load(own, token=token, ignore_metadata_errors=False).data
    assert read.eval_results is not None and read.eval_results[0].metric_value == 0.5 and read.tags == ["new"]
    assert {"eval-results", "new", "base_model:finetune:org/base"} <= set(HfApi(token=token).model_info(own).tags or [])
    with pytest.raises(ValueError, match="license"):
        ModelCard("---\nlicense: no such\n---\n").validate()
