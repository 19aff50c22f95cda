"""What the card says of the data that was added to the shots: where it comes from, and what was left out."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hubexpert.lock import Lock

LISTED = 30  # datasets by name


def added(lock: Lock) -> dict[str, Any]:
    """`added`: the facts as rows; None where the shots alone were trained on."""
    data = lock.data
    if data is None or not data.datasets:
        return {"added": None}
    used = sorted((use for use in data.datasets if use.taken), key=lambda use: -sum(use.taken.values()))
    removed: Counter[str] = Counter()
    for use in data.datasets:
        removed.update(use.removed)
    datasets = [
        {
            "link": use.source,
            "license": use.source.license or "none given",
            "read": use.read,
            "removed": sum(use.removed.values()),
            "taken": ", ".join(f"{count} by {method}" for method, count in _most_first(use.taken)),
        }
        for use in used[:LISTED]
    ]
    methods = [
        {
            "name": method.method,
            "considered": method.considered,
            "kept": method.kept,
            "refused": ", ".join(f"{code} {count}" for code, count in _most_first(method.refused)) or "-",
        }
        for method in data.methods
    ]
    return {
        "added": {
            "examples": data.examples,
            "digest": data.digest or "-",
            "datasets": datasets,
            "more": len(used) - len(datasets),
            "methods": methods,
            "leaks": sum(count for code, count in removed.items() if code.startswith("leak-")),
            "unread": len(data.unread),
            "beacons": lock.build.beacons,
        }
    }


def _most_first(counts: Mapping[Any, int]) -> list[tuple[str, int]]:
    """In an order that does not hang on the mapping's: the lock's file keeps none."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
