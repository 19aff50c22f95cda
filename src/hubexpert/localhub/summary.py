"""The summary of a commit: what listings and info calls say about a repository, computed once when it is made."""

import json
from collections.abc import Mapping
from typing import Any

from hubexpert.frontmatter import CardError, card_data, plain
from hubexpert.localhub.blobs import Blobs
from hubexpert.localhub.records import Files, RepoType
from hubexpert.localhub.safetensors import parameter_counts
from hubexpert.localhub.tags import dataset_tags, library_name, model_tags

_TEXT_LIMIT = 5 * 1024 * 1024  # bytes of a README or a configuration file that are looked at
_CONFIG_KEYS = ("architectures", "model_type", "quantization_config", "auto_map")
_TOKENIZER_KEYS = ("bos_token", "eos_token", "pad_token", "unk_token", "chat_template")


def summarise(blobs: Blobs, repo_type: RepoType, files: Files) -> Mapping[str, Any]:
    """The summary of these files as JSON values.

    Members: `cardData` (None when there is none or it cannot be read), `tags`, `siblings` (file names), `size`
    (bytes), and for models `config`, `library_name`, `pipeline_tag`, `safetensors`.
    """
    readme = _text(blobs, files, "README.md")
    try:
        card = card_data(readme)
    except CardError:
        card = None  # a card that cannot be read must not hide its repository
    summary: dict[str, Any] = {
        "cardData": card,
        "siblings": sorted(files),
        "size": sum(entry.size for entry in files.values()),
        "pipeline_tag": None,
    }
    if repo_type == "dataset":
        return summary | {"tags": dataset_tags(card or {}, files, readme)}
    config = _config(blobs, files)
    tag = (card or {}).get("pipeline_tag")
    return summary | {
        "tags": model_tags(card or {}, config, files, readme),
        "config": config,
        "library_name": library_name(card or {}, config),
        "pipeline_tag": tag if isinstance(tag, str) else None,
        "safetensors": parameter_counts(blobs, files),
    }


def _config(blobs: Blobs, files: Files) -> dict[str, Any]:
    """The parts of `config.json`, `adapter_config.json` and `tokenizer_config.json` the Hub shows."""
    model = _json(blobs, files, "config.json")
    config = {key: model[key] for key in _CONFIG_KEYS if key in model}
    adapter = _json(blobs, files, "adapter_config.json")
    if adapter:
        config["peft"] = {key: adapter.get(key) for key in ("base_model_name_or_path", "task_type")}
    tokenizer = _json(blobs, files, "tokenizer_config.json")
    if tokenizer:
        config["tokenizer_config"] = {key: tokenizer[key] for key in _TOKENIZER_KEYS if key in tokenizer}
    return config


def _json(blobs: Blobs, files: Files, path: str) -> dict[str, Any]:
    """The object in a JSON file; empty when it is missing or is something else."""
    try:
        value = plain(json.loads(_text(blobs, files, path) or "null"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(blobs: Blobs, files: Files, path: str) -> str:
    entry = files.get(path)
    return blobs.read(entry.sha256, _TEXT_LIMIT).decode(errors="replace") if entry else ""
