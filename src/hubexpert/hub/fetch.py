"""Files at a pinned commit: a small JSON file, the header of weights, whole files."""

import functools
import json
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import (
    HfApi,
    cached_assets_path,
    get_session,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import SafetensorsParsingError
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.errors import HubExpertError, first_line
from hubexpert.hub.calls import TIMEOUT, SourceError, call
from hubexpert.records import Source

SECOND_COPIES = ["*/*", "consolidated*", "*.fp16.safetensors", "*.bf16.safetensors"]
BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "I64": 64, "I32": 32, "I16": 16, "I8": 8,
    "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
}  # fmt: skip


def read_json(source: Source, filename: str, max_bytes: int = 1_000_000) -> Any:
    """The value in a small JSON file; at most `max_bytes` are read of it.

    Raises:
        SourceError: the file is missing, too big, or no JSON in UTF-8.
        HubExpertError: the Hub cannot be reached.
    """
    cached = try_to_load_from_cache(source.repo, filename, revision=source.revision, repo_type=source.repo_type)
    if isinstance(cached, str):
        with Path(cached).open("rb") as file:
            content = file.read(max_bytes + 1)
    else:
        content = call(lambda: _first_bytes(source, filename, max_bytes + 1), source.repo)
    if len(content) > max_bytes:
        raise _broken(source, filename, f"is larger than {max_bytes:,} bytes")
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _broken(source, filename, "is not JSON in UTF-8") from error


def _first_bytes(source: Source, filename: str, count: int) -> bytes:
    """Up to `count` bytes of a file; what is beyond stays on the Hub, whatever its size is said to be."""
    url = hf_hub_url(source.repo, filename, repo_type=source.repo_type, revision=source.revision)
    content = b""
    with get_session().stream("GET", url, headers=build_hf_headers(), timeout=TIMEOUT) as response:
        hf_raise_for_status(response)
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) >= count:
                break
    return content[:count]


def weights_header(source: Source, filename: str, *, size: int | None) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor in a safetensors file, from its header alone: no weights are downloaded.

    Args:
        source: the repository at its commit.
        filename: the file.
        size: its bytes, where they are known; a header that points beyond them is refused.

    Raises:
        SourceError: the file is missing, or its header is damaged or contradicts itself.
        HubExpertError: the Hub cannot be reached.
    """
    if size is not None and size < 8:
        raise _broken(source, filename, "is too short for a header")
    try:
        parsed = call(
            lambda: HfApi().parse_safetensors_file_metadata(
                source.repo, filename, revision=source.revision, timeout=TIMEOUT
            ),
            source.repo,
        )
        return _shapes(parsed, size)
    except (SafetensorsParsingError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _broken(source, filename, "has a damaged header") from error


def _shapes(parsed: Any, size: int | None) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for name, tensor in parsed.tensors.items():
        shape = tuple(tensor.shape)
        if not all(type(side) is int and 0 <= side < 2**31 for side in shape):
            raise ValueError("a side is no size")
        begin, end = tensor.data_offsets
        bits = BITS.get(tensor.dtype)
        if not 0 <= begin <= end <= (end if size is None else size) or (
            bits and (end - begin) * 8 != math.prod(shape) * bits
        ):
            raise ValueError("the data lie outside the file or do not fit the shape")
        shapes[name] = shape
    return shapes


def download(source: Source, files: Sequence[str]) -> Path:
    """The folder of the snapshot at the pinned commit, with these files in it; cached ones cost no request.

    Raises:
        SourceError: a file is missing, or the repository is gated or private.
        HubExpertError: the Hub cannot be reached, the files are not in the cache offline, or the disk is full.
    """
    if not files:
        raise ValueError("no files asked for")
    paths = [call(functools.partial(_one_file, source, name), source.repo) for name in files]
    return Path(paths[0]).parents[len(PurePosixPath(files[0]).parts) - 1]


def snapshot(source: Source, patterns: Sequence[str]) -> Path:
    """The folder of the snapshot at the pinned commit with every file of its root that matches one of the patterns.

    Second copies of the weights are left out: those in folders, `consolidated` ones and such in other precisions.

    One request where all is cached, none offline.

    Raises:
        SourceError: the repository is missing, gated or private.
        HubExpertError: the Hub cannot be reached, or the files are not in the cache offline.
    """
    folder = call(
        lambda: snapshot_download(
            source.repo,
            repo_type=source.repo_type,
            revision=source.revision,
            allow_patterns=list(patterns),
            ignore_patterns=SECOND_COPIES,
        ),
        source.repo,
    )
    return Path(folder)


def assets(source: Source) -> Path:
    """The folder for what is made of a repository at its commit, beside the Hub's cache (`HF_ASSETS_CACHE`).

    Raises:
        HubExpertError: it cannot be made.
    """
    try:
        return cached_assets_path("hubexpert", namespace=source.repo, subfolder=source.revision)
    except (OSError, ValueError) as error:
        raise HubExpertError(
            f"There is no folder for what is made of {source.repo}: {first_line(error)}.",
            fix="set HF_ASSETS_CACHE to a folder that can be written",
        ) from error


def _one_file(source: Source, filename: str) -> str:
    return hf_hub_download(source.repo, filename, repo_type=source.repo_type, revision=source.revision)


def _broken(source: Source, filename: str, what: str) -> SourceError:
    return SourceError(f"{filename} of {source.repo} {what}.", fix="leave the repository out", kind="broken")
