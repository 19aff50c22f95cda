"""The tags the Hub computes for a repository: what listings are filtered by."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hubexpert.localhub.cards import strings

RELATIONS = ("adapter", "finetune", "quantized", "merge")

_ARXIV = re.compile(r"(?:arxiv\.org/(?:abs|pdf)/|arxiv:)(\d{4}\.\d{4,5})", re.IGNORECASE)

# Tags of a model that only the names of its files tell.
_MODEL_FILES = {
    "safetensors": re.compile(r".*\.safetensors"),
    "pytorch": re.compile(r"(.*/)?(pytorch_model.*|.*\.(bin|pt|pth))"),
    "gguf": re.compile(r".*\.gguf"),
    "onnx": re.compile(r".*\.onnx"),
    "tensorboard": re.compile(r".*tfevents.*"),
}
_DATA_FILES = {
    "json": re.compile(r".*\.jsonl?(\.\w+)?"),
    "csv": re.compile(r".*\.csv(\.\w+)?"),
    "parquet": re.compile(r".*\.parquet"),
    "text": re.compile(r".*\.txt"),
}
_PREFIXED = (
    "annotations_creators",
    "language_creators",
    "language",
    "license",
    "multilinguality",
    "size_categories",
    "source_datasets",
    "task_categories",
    "task_ids",
)


def model_tags(card: Mapping[str, Any], config: Mapping[str, Any], files: Collection[str], readme: str) -> list[str]:
    """The tags of a model, each once, from its card, its configuration files, its file names and its text."""
    found = [
        *_libraries(card, config),
        *(tag for tag, name in _MODEL_FILES.items() if any(name.fullmatch(path) for path in files)),
        *strings(config.get("model_type")),
        *strings(card.get("tags")),
        *strings(card.get("pipeline_tag")),
        *strings(card.get("language")),
        *(f"dataset:{name}" for name in strings(card.get("datasets"))),
        *_base_models(card, config, files),
        *_papers(readme),
        *(f"license:{name}" for name in strings(card.get("license"))),
        *(["model-index", "eval-results"] if card.get("model-index") else []),
        "region:us",
    ]
    return list(dict.fromkeys(found))


def dataset_tags(card: Mapping[str, Any], files: Collection[str], readme: str) -> list[str]:
    """The tags of a dataset, each once."""
    formats = [tag for tag, name in _DATA_FILES.items() if any(name.fullmatch(path) for path in files)]
    found = [
        *(f"{key}:{value}" for key in _PREFIXED for value in strings(card.get(key))),
        *(f"format:{name}" for name in formats),
        *(["library:datasets"] if formats else []),
        *_papers(readme),
        "region:us",
        *strings(card.get("tags")),
    ]
    return list(dict.fromkeys(found))


def library_name(card: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """The library a model belongs to: what its card says, else what its configuration files show."""
    if isinstance(card.get("library_name"), str):
        return str(card["library_name"])
    if "peft" in config:
        return "peft"
    return "transformers" if "model_type" in config else None


def relation(card: Mapping[str, Any], config: Mapping[str, Any], files: Collection[str]) -> str:
    """What a model is to its base: `adapter`, `finetune`, `quantized` or `merge`."""
    if card.get("base_model_relation") in RELATIONS:
        return str(card["base_model_relation"])
    tags = strings(card.get("tags"))
    if "peft" in config or library_name(card, config) == "peft" or "lora" in tags:
        return "adapter"
    if "merge" in tags or len(strings(card.get("base_model"))) > 1:
        return "merge"
    if "quantization_config" in config or any(path.endswith(".gguf") for path in files):
        return "quantized"
    return "finetune"


def _libraries(card: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    library = library_name(card, config)
    if library:
        yield library
    if "peft" in config:
        yield "peft"


def _base_models(card: Mapping[str, Any], config: Mapping[str, Any], files: Collection[str]) -> Iterator[str]:
    kind = relation(card, config, files)
    for name in strings(card.get("base_model")):
        yield f"base_model:{name}"
        yield f"base_model:{kind}:{name}"


def _papers(readme: str) -> Iterator[str]:
    for number in _ARXIV.findall(readme):
        yield f"arxiv:{number}"
