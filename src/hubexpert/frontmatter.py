"""The YAML block at the top of a README, read safely: its author is a stranger."""

import math
from collections.abc import Iterator
from typing import Any

import yaml

# The C loader is ten times faster, and missing where PyYAML was built without libyaml.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FRONT_MATTER_LIMIT = 1 << 20  # characters
_VALUES_LIMIT = 200_000  # a few lines of YAML with aliases can stand for billions of values
_DEPTH_LIMIT = 60
_INTEGER_LIMIT = 1 << 63
_NUMBER_LIMIT = 400  # characters; YAML 1.1 knows numbers to the base of 60, whose reading takes quadratic time
# What PyYAML's constructors raise on text of a wrong form: `!!bool x` is a KeyError, `!!int ""` an IndexError, ...
_FAULTS = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


class CardError(ValueError):
    """A card whose metadata cannot be read; the text says why."""


class _CardLoader(_SafeLoader):
    """A safe loader without merge keys (`<<`): nested ones grow without bound while they are read."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave merge keys in place, where constructing them is an error."""

    def short_number(self, node: yaml.ScalarNode) -> int | float | None:
        """The number; None for one that no JSON reader would take anyway."""
        if not isinstance(node, yaml.ScalarNode) or len(node.value) > _NUMBER_LIMIT:
            return None
        whole = node.tag.endswith(":int")
        return self.construct_yaml_int(node) if whole else self.construct_yaml_float(node)


for _tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
    _CardLoader.add_constructor(_tag, _CardLoader.short_number)


def front_matter(readme: str) -> str | None:
    """The YAML text between the two lines of dashes at the top, or None."""
    lines = readme.lstrip("\ufeff \t\r\n").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ends = (number for number, line in enumerate(lines) if number and line.rstrip() == "---")
    end = next(ends, None) if lines[0].rstrip() == "---" else None
    return None if end is None else "\n".join(lines[1:end])


def card_data(readme: str) -> dict[str, Any] | None:
    """The metadata of a card as plain JSON values; None when there is none.

    Raises:
        CardError: when it is not YAML, not a mapping, or unreasonably large.
    """
    text = front_matter(readme)
    if text is None:
        return None
    if len(text) > FRONT_MATTER_LIMIT:
        raise CardError("the metadata is too large")
    try:
        _check_depth(text)
        value = plain(yaml.load(text, _CardLoader))  # noqa: S506 - a safe loader
    except _FAULTS as error:
        raise CardError(str(error) or type(error).__name__) from error
    if value is None:
        return None
    if not isinstance(value, dict):
        raise CardError("the metadata must be a mapping of keys to values")
    return value


def _check_depth(text: str) -> None:
    """Raise a ValueError where the YAML nests too deeply: the C loader would overflow the stack and end the process."""
    depth = 0
    for event in yaml.parse(text, _CardLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH_LIMIT:
            raise ValueError("nested too deeply")


def plain(value: object) -> Any:
    """`value` made of JSON types only: keys and dates become text; numbers JSON readers choke on become None.

    Raises:
        ValueError: when it holds too many values or is nested too deeply.
    """
    return _plain(value, iter(range(_VALUES_LIMIT)), 0)


def _plain(value: object, budget: Iterator[int], depth: int) -> Any:
    if next(budget, None) is None or depth > _DEPTH_LIMIT:
        raise ValueError("too many values, or nested too deeply")
    if isinstance(value, dict):
        return {_text(key): _plain(item, budget, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item, budget, depth + 1) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if abs(value) < _INTEGER_LIMIT else None
    return _text(value)


def _text(value: object) -> str:
    """`value` as text without the lone surrogates that cannot be sent."""
    return str(value).encode(errors="replace").decode()
