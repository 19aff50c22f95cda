"""Locks of older versions, raised one version at a time."""

from collections.abc import Callable
from typing import Any

from hubexpert.lock.places import placeless
from hubexpert.lock.whole import LOCK_VERSION


def raised(raw: dict[str, Any]) -> dict[str, Any]:
    """A lock as JSON, of this or an older version, as this release writes it."""
    for version in range(raw["version"], LOCK_VERSION):
        raw = {**STEPS[version](raw), "version": version + 1}
    return raw


def without_paths(raw: dict[str, Any]) -> dict[str, Any]:
    """Version 1 kept some paths of the machine, and its digest of the data hung on them: no other can be made of it."""
    bare: dict[str, Any] = placeless(raw)
    data = bare.get("data")
    return {**bare, "data": {**data, "digest": None}} if isinstance(data, dict) else bare


# version -> what makes the next one of it
STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: without_paths}
