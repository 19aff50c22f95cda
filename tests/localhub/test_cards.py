"""Cards: what is wrong with one, and what a hostile one cannot do."""

import json
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, get_session

from hubexpert.localhub import LocalHub, Store
from hubexpert.localhub.validation import validate
from tests.hostile_cards import HOSTILE, ODD
from tests.localhub.conftest import Site, write_folder


def card(text: str) -> str:
    return f"---\n{text}\n---\n# Title\n"


@pytest.mark.parametrize(
    "text",
    [
        "license: apache-2.0\ntags: [a, b]\nlanguage: en\nbase_model: org/x",
        "license: other\nlicense_name: ours\nlanguage: [en, no, zh-Hant, code]\nbase_model: [gpt2, a/b]",
        "model-index:\n- name: m\n  results:\n  - task: {type: t}\n    dataset: {type: d, name: D}\n    metrics: []",
    ],
)
def test_good_cards_pass(text: str) -> None:
    assert validate(card(text), "model") == ([], [])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("license: My Own!", "license"),
        ("license: [mit, {a: b}]", "license"),
        ("tags: one", "tags"),
        ("datasets: [1]", "datasets"),
        ("language: English", "language"),
        ("base_model: /local/path", "base_model"),
        ("base_model_relation: cousin", "base_model_relation"),
        ("pipeline_tag: [a]", "pipeline_tag"),
        ("model-index: x", "model-index"),
        ("model-index:\n- results: []", "name"),
        ("model-index:\n- name: m\n  results: [{task: {}}]", "metrics"),
        ("a: [", "YAML"),
        ("- a\n- b", "mapping"),
    ],
)
def test_bad_cards_are_told_what_is_wrong(text: str, word: str) -> None:
    errors, _ = validate(card(text), "model")
    assert any(word in error for error in errors)


def test_of_many_bad_values_the_first_is_named() -> None:
    bad = ", ".join(f"bad-{number}" for number in range(2000))
    models = "".join("- {results: 1}\n" for _ in range(2000))
    text = card(f"license: [{bad}]\nlanguage: [{bad}]\nbase_model: [{bad.replace('bad', '-')}]\nmodel-index:\n{models}")
    errors, _ = validate(text, "model")
    assert len(errors) == 4 and sum(map(len, errors)) < 3000
    assert any("'bad-0'" in error for error in errors)


def test_a_card_without_metadata_is_doubtful_only() -> None:
    assert validate("# Just text", "model") == ([], ["empty or missing yaml metadata in repo card"])


def test_the_client_refuses_to_upload_a_bad_card(site: Site, repo: str) -> None:
    bad = [CommitOperationAdd("README.md", card("license: nope").encode())]
    with pytest.raises(ValueError, match="license"):
        site.alice.create_commit(repo, bad, commit_message="bad")
    with pytest.warns(UserWarning, match="empty or missing"):
        site.alice.create_commit(repo, [CommitOperationAdd("README.md", b"text")], commit_message="bare")


def test_hostile_repositories_do_not_break_a_listing(tmp_path: Path) -> None:
    store = Store(tmp_path / "hub")
    for name, text in (HOSTILE | ODD).items():
        store.add_folder(f"o/{name}", write_folder(tmp_path / name, {"README.md": card(text)}))
    configs: dict[str, str | bytes] = {
        "nan": '{"model_type": NaN, "architectures": [Infinity, "\\ud800"], "\\ud800": 1}',
        "list": "[1, 2]",
        "deep": "[" * 100_000,
        "integer": '{"model_type": ' + "9" * 4000 + "}",
        "bytes": b"\xff\xfe\x00",
    }
    for name, config in configs.items():
        files = dict.fromkeys(("config.json", "adapter_config.json", "tokenizer_config.json"), config)
        store.add_folder(f"o/config-{name}", write_folder(tmp_path / f"c-{name}", files))
    header = json.dumps({"w": {"dtype": "F32", "shape": [1 << 80], "data_offsets": [0, 1]}}).encode()
    weights = {"size": header, "dtype": b'{"w": {"dtype": "\\ud800", "shape": [1]}}', "json": b"{", "type": b"[[]]"}
    for name, content in weights.items():
        file = len(content).to_bytes(8, "little") + content
        store.add_folder(f"o/w-{name}", write_folder(tmp_path / f"w-{name}", {"model.safetensors": file}))
    store.add_folder("o/w-length", write_folder(tmp_path / "w-length", {"model.safetensors": b"\xff" * 9}))
    with LocalHub(store.root) as hub:
        expand = ["cardData", "config", "tags", "safetensors", "model-index"]
        answer = get_session().get(f"{hub.endpoint}/api/models", params={"expand": expand})
        assert len(answer.json()) == len(HOSTILE | ODD) + len(configs) + len(weights) + 1
        api = HfApi(endpoint=hub.endpoint, token=False)
        assert all(model.safetensors is None for model in api.list_models(expand=["safetensors"]))


def test_parameters_are_counted_from_headers_alone(tmp_path: Path) -> None:
    def shard(**tensors: list[int]) -> bytes:
        header = {name: {"dtype": "BF16", "shape": shape, "data_offsets": [0, 0]} for name, shape in tensors.items()}
        text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
        return len(text).to_bytes(8, "little") + text

    files: dict[str, str | bytes] = {
        "model-00001-of-00002.safetensors": shard(a=[4, 5], b=[3]),
        "model-00002-of-00002.safetensors": shard(c=[]),
        "adapter_model.safetensors": shard(d=[1000]),
        "config.json": '{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}',
    }
    store = Store(tmp_path / "hub")
    store.add_folder("o/m", write_folder(tmp_path / "f", files))
    with LocalHub(store.root) as hub:
        info = HfApi(endpoint=hub.endpoint, token=False).model_info("o/m")
    assert info.safetensors is not None
    assert (info.safetensors.parameters, info.safetensors.total) == ({"BF16": 24}, 24)
    assert info.config is not None and info.config["model_type"] == "llama" and info.library_name == "transformers"
    assert {"llama", "transformers", "safetensors"} <= set(info.tags or [])
