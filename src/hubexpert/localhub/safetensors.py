"""How many parameters a model's safetensors files hold, from their headers alone."""

import json
import math
import re
from typing import Any

from hubexpert.localhub.blobs import Blobs
from hubexpert.localhub.records import Files

_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors")  # the Hub does not count adapters
_DTYPE = re.compile(r"[A-Z0-9_]{1,16}")
_HEADER_LIMIT = 25 * 1024 * 1024  # bytes


def parameter_counts(blobs: Blobs, files: Files) -> dict[str, Any] | None:
    """`{"parameters": {dtype: count}, "total": count}`, or None when there is no readable weight file."""
    counts: dict[str, int] = {}
    for path in files:
        if _WEIGHTS.fullmatch(path):
            try:
                shard = _counts(blobs, files[path].sha256)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                return None  # not a safetensors file, whatever its name
            for dtype, count in shard.items():
                counts[dtype] = counts.get(dtype, 0) + count
    return {"parameters": counts, "total": sum(counts.values())} if counts else None


def _counts(blobs: Blobs, sha256: str) -> dict[str, int]:
    length = int.from_bytes(blobs.read(sha256, 8), "little")
    if length > _HEADER_LIMIT:
        raise ValueError("header too large")
    header = json.loads(blobs.read(sha256, 8 + length)[8:])
    counts: dict[str, int] = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            if not _DTYPE.fullmatch(tensor["dtype"]):
                raise ValueError("unknown dtype")
            counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + math.prod(_size(n) for n in tensor["shape"])
    return counts


def _size(number: object) -> int:
    if not isinstance(number, int) or not 0 <= number < 1 << 40:
        raise ValueError("not a size")
    return number
