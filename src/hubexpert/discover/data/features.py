"""The columns of a dataset with their types, from a card's `features` or from a row."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from hubexpert.escape import clean

COLUMNS, CLASSES = 300, 2000  # that are read of one configuration, of one column
DEPTH = 4  # levels of nested columns
CLASS = "class_label"
SCALARS = {str: "string", bool: "bool", int: "int64", float: "float64", type(None): "null"}
NESTED = ("struct", "list", "sequence", "large_list")


class Column(NamedTuple):
    """A column, its type and, if it holds class labels, what they are called."""

    path: str
    type: str
    classes: tuple[str, ...] = ()


def columns_of(features: Any) -> list[Column]:
    """The columns of a configuration; a mapping of features is the form of old `dataset_infos.json` files."""
    return list(islice(_flat("", features, "", 0), COLUMNS))


def _flat(prefix: str, fields: Any, around: str, depth: int) -> Iterator[Column]:
    """The fields of a struct, each with those inside it; `around` is `list` for those in a list of structs."""
    if isinstance(fields, dict) and "dtype" not in fields:
        fields = [{"name": name, **_old(told)} for name, told in fields.items()]
    for field in mappings(fields) if depth < DEPTH else []:
        name = name_of(field.get("name"))
        if name:
            yield from _one(prefix + name, field, around, depth)


def _old(told: Any) -> dict[str, Any]:
    """A feature of a `dataset_infos.json` in the form of today's cards."""
    if isinstance(told, list):
        return {"list": told[0] if told else "unknown"}
    told = mapping(told)
    if told.get("_type") in ("Sequence", "List", "LargeList"):
        return {"list": told.get("feature")}
    return told if {"_type", "dtype", CLASS, *NESTED} & told.keys() else {"struct": told}


def _one(path: str, field: dict[str, Any], around: str, depth: int) -> Iterator[Column]:
    """One field: its own column, and those of the struct it holds."""
    kind = next((key for key in NESTED if key in field), None)
    dtype = field.get("dtype")
    if kind is None and isinstance(dtype, dict):
        kind = next((key for key in NESTED if key in dtype), None)
        field = dtype if kind else field
    if kind is None:
        type_, classes = _scalar(field)
        yield Column(path, _in_list(type_, around), classes)
        if type_ == "translation":
            for language in _languages(dtype if isinstance(dtype, dict) else field):
                yield Column(f"{path}.{language}", "string")
        return
    held, inside = field[kind], around if kind == "struct" else "list"
    if isinstance(held, str):
        yield Column(path, _in_list(clean(held, longest=40), inside))
    elif isinstance(held, dict) and {"_type", "dtype", CLASS, *NESTED} & held.keys() and depth < DEPTH:
        held = {"dtype": held} if CLASS in held else _old(held) if "_type" in held else held
        yield from _one(path, held, inside, depth + 1)
    else:
        yield Column(path, _in_list("struct", inside))
        yield from _flat(f"{path}.", held, inside, depth + 1)


def _scalar(field: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """A field's type, and its classes if it is a label."""
    dtype = field.get("dtype")
    if isinstance(dtype, dict):
        label = dtype.get(CLASS)
        key = next(iter(dtype), "?")
        return (CLASS, _classes(mapping(label).get("names"))) if CLASS in dtype else (clean(key, longest=40), ())
    if field.get("_type") == "ClassLabel" or "names" in field:
        return CLASS, _classes(field.get("names"))
    if field.get("_type") in ("Image", "Audio", "Video", "Translation"):
        return str(field["_type"]).lower(), ()
    return (clean(dtype, longest=40), ()) if isinstance(dtype, str) and dtype else ("unknown", ())


def _in_list(type_: str, around: str) -> str:
    return f"list<{type_}>" if around == "list" else type_


def _classes(names: Any) -> tuple[str, ...]:
    """The classes' names in order: a list, or number -> name."""
    if isinstance(names, dict):
        keys = [key for key in names if str(key).isascii() and str(key).isdecimal() and len(str(key)) < 9]
        names = [names[key] for key in sorted(keys, key=int)]
    return tuple(clean(name, longest=200) for name in names[:CLASSES]) if isinstance(names, list) else ()


def _languages(field: Mapping[str, Any]) -> Iterator[str]:
    told = mapping(field.get("translation")) or field
    languages = told.get("languages")
    return (name for name in map(name_of, languages if isinstance(languages, list) else []) if name)


def row_columns(row: Mapping[str, Any]) -> dict[str, str]:
    """Column -> type, from the values of a row."""
    return {column.path: column.type for column in islice(_of_values("", row, ""), COLUMNS)}


def _of_values(prefix: str, row: Mapping[str, Any], around: str, depth: int = 0) -> Iterator[Column]:
    for key, value in row.items():
        name = name_of(key)
        listed: Sequence[Any] | None = value if isinstance(value, list) else None
        held, inside = (listed[0] if listed else None, "list") if listed is not None else (value, around)
        if name and isinstance(held, dict) and depth < DEPTH:
            yield Column(prefix + name, _in_list("struct", inside))
            yield from _of_values(f"{prefix}{name}.", held, inside, depth + 1)
        elif name:
            type_ = "binary" if held == "<binary>" else SCALARS.get(type(held), "list")
            yield Column(prefix + name, _in_list(type_, inside))


def mapping(value: Any) -> dict[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """The mappings in a list, or the one that stands for such a list."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def name_of(value: Any) -> str | None:
    """A name that can be shown and written into a recipe as it is."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if text and clean(text, longest=200) == text else None
