"""A dataset's configurations and splits, as its card's metadata tell them."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from hubexpert.discover.data.features import COLUMNS, DEPTH, columns_of, mapping, mappings, name_of
from hubexpert.escape import clean
from hubexpert.records import DatasetConfig

CONFIGS, SPLITS = 300, 50  # that are read of one card
ROLE = "? "  # begins the type of a column of which only its role in an evaluation is known


def configs(card: Mapping[str, Any]) -> tuple[DatasetConfig, ...]:
    """The dataset's configurations, the default one first; none where the card does not tell.

    Nested columns are named by their path with dots and have the type of a list where they lie in one. A column that
    only `train-eval-index` names has the type `? ROLE`. Names that are not printable are left out.

    Args:
        card: the metadata as JSON values, of whatever form.
    """
    found: dict[str, DatasetConfig] = {}
    for name, given in [*_data_files(card.get("configs")), *_infos(card.get("dataset_info"))]:
        before = found.get(name, DatasetConfig(name=name))
        columns = {column.path: column.type for column in columns_of(given.get("features"))}
        splits = {**before.splits, **_splits(given.get("splits"))}
        found[name] = DatasetConfig(name=name, splits=splits, columns=columns or before.columns)
    for name, entry in _indexed(card.get("train-eval-index")):
        if name not in found or not found[name].columns:
            splits = found[name].splits if name in found else {}
            told = _splits(list(mapping(entry.get("splits")).values()))
            found[name] = DatasetConfig(name=name, splits=told | splits, columns=_roles(entry.get("col_mapping")))
    return tuple(islice(found.values(), CONFIGS))


def class_names(card: Mapping[str, Any], config: str | None) -> dict[str, tuple[str, ...]]:
    """Column -> the names of its classes, in the order of their numbers; of the first configuration for None."""
    infos = list(_infos(card.get("dataset_info")))
    chosen = next((info for name, info in infos if config in (None, name)), {})
    return {column.path: column.classes for column in columns_of(chosen.get("features")) if column.classes}


def _infos(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The forms of `dataset_info`: one configuration, a list of them, or name -> configuration."""
    if isinstance(value, dict) and not {"features", "splits", "config_name"} & value.keys():
        value = [{"config_name": name, **info} for name, info in value.items() if isinstance(info, dict)]
    for info in mappings(value)[:CONFIGS]:
        name = name_of(info.get("config_name") or "default")
        if name:
            yield name, info


def _data_files(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The configurations under `configs`, the one marked as default first; old cards have a list of names."""
    entries = value if isinstance(value, list) else []
    entries = [{"config_name": entry} if isinstance(entry, str) else entry for entry in entries]
    for entry in sorted(mappings(entries)[:CONFIGS], key=_rank):
        name = name_of(entry.get("config_name"))
        files = entry.get("data_files")
        splits = [part.get("split") for part in mappings(files)] or list(mapping(files))
        if name:
            yield name, {"splits": [split for split in splits if split]}


def _rank(entry: Mapping[str, Any]) -> tuple[bool, bool]:
    return entry.get("default") is not True, entry.get("config_name") != "default"


def _splits(value: Any) -> dict[str, int | None]:
    """Split -> rows, from a list of names or of mappings, or from a mapping of mappings."""
    if isinstance(value, dict):
        value = [{"name": name, **mapping(told)} for name, told in value.items()]
    found: dict[str, int | None] = {}
    for item in (value if isinstance(value, list) else [])[:SPLITS]:
        told = item if isinstance(item, dict) else {"name": item}
        name, rows = name_of(told.get("name")), told.get("num_examples")
        if name:
            found[name] = rows if type(rows) is int and rows >= 0 else None
    return found


def _indexed(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The configurations of `train-eval-index`."""
    for entry in mappings(value)[:CONFIGS]:
        name = name_of(entry.get("config") or "default")
        if name and isinstance(entry.get("col_mapping"), dict):
            yield name, entry


def _roles(given: Any, prefix: str = "", depth: int = 0) -> dict[str, str]:
    """Column -> its role, of a mapping that may be nested."""
    found: dict[str, str] = {}
    for key, role in islice(mapping(given).items(), COLUMNS):
        name = name_of(key)
        if name and isinstance(role, dict) and depth < DEPTH:
            found |= _roles(role, f"{prefix}{name}.", depth + 1)
        elif name:
            found[prefix + name] = ROLE + clean(role, longest=40)
    return found
