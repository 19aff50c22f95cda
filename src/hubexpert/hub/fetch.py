"""Files at a pinned commit: a small JSON file, the header of weights, whole files."""

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import httpx2
from huggingface_hub import (
    cached_assets_path,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import HfHubHTTPError

from hubexpert.errors import HubExpertError, first_line
from hubexpert.hub.calls import SourceError, call
from hubexpert.hub.listing import COMMIT
from hubexpert.hub.pace import Pace
from hubexpert.hub.web import read
from hubexpert.records import Source

LONGEST_HEADER = 1 << 24  # bytes
SIDES = 8  # of a tensor
SECOND_COPIES = ["*/*", "consolidated*", "*.fp16.safetensors", "*.bf16.safetensors"]
BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "I64": 64, "I32": 32, "I16": 16, "I8": 8,
    "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """The header of a safetensors file: the shape of every tensor, and the file's bytes where they are told."""

    shapes: dict[str, tuple[int, ...]]
    size: int | None


def read_json(source: Source, filename: str, max_bytes: int = 1_000_000, *, pace: Pace | None = None) -> Any:
    """The value in a small JSON file; at most `max_bytes` are read of it. No request where it is in the cache.

    Raises:
        SourceError: the file is missing, too big, or no JSON in UTF-8.
        HubExpertError: the Hub cannot be reached.
    """
    cached = try_to_load_from_cache(source.repo, filename, revision=source.revision, repo_type=source.repo_type)
    if isinstance(cached, str):
        with Path(cached).open("rb") as file:
            content = file.read(max_bytes + 1)
    else:
        paced = pace or Pace()
        content = call(lambda: _whole(source, filename, max_bytes, paced), source.repo, rest=paced.pause)
    if len(content) > max_bytes:
        raise _broken(source, filename, f"is larger than {max_bytes:,} bytes")
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _broken(source, filename, "is not JSON in UTF-8") from error


def read_text(source: Source, filename: str, longest: int) -> str:
    """The first `longest` bytes of a text file, what is no UTF-8 in it replaced; empty where there is no such file.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    url = hf_hub_url(source.repo, filename, repo_type=source.repo_type, revision=source.revision)
    paced = Pace()
    try:
        body = call(lambda: read(url, longest=longest, pace=paced), source.repo, rest=paced.pause)
    except SourceError:
        return ""
    return body.content[:longest].decode("utf-8", errors="replace")


def _whole(source: Source, filename: str, longest: int, pace: Pace) -> bytes:
    """A file's content, up to one byte more than `longest`; what was cut on its way is a fault that may pass.

    The Hub's ETag of a file outside LFS is its git id, so it tells whether the content is whole.
    """
    url = hf_hub_url(source.repo, filename, repo_type=source.repo_type, revision=source.revision)
    body = read(url, longest=longest + 1, pace=pace)
    etag = body.headers.get("etag", "").removeprefix("W/").strip('"')
    if body.whole and COMMIT.fullmatch(etag) and etag != _git_id(body.content):
        raise httpx2.ReadError("the file ends too early")
    return body.content


def _git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def weights_header(source: Source, filename: str, *, pace: Pace | None = None) -> Header:
    """The header of a safetensors file; one request, and no weights are downloaded.

    Raises:
        SourceError: the file is missing, or its header is damaged, contradicts itself or points beyond the file.
        HubExpertError: the Hub cannot be reached.
    """
    paced = pace or Pace()
    content, size = call(lambda: _first_part(source, filename, paced), source.repo, rest=paced.pause)
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or len(content) < 8 + length:
        raise _broken(source, filename, "has a damaged header")
    try:
        tensors = json.loads(content[8 : 8 + length].decode("utf-8"))
        tensors.pop("__metadata__", None)
        return Header(_shapes(tensors, None if size is None else size - 8 - length), size)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise _broken(source, filename, "has a damaged header") from error


def _first_part(source: Source, filename: str, pace: Pace) -> tuple[bytes, int | None]:
    """The beginning of a safetensors file as far as its header reaches, and the file's size where it is told."""
    url = hf_hub_url(source.repo, filename, repo_type=source.repo_type, revision=source.revision)
    wanted = {"Range": f"bytes=0-{LONGEST_HEADER - 1}"}
    try:
        body = read(url, longest=LONGEST_HEADER, pace=pace, headers=wanted, enough=_holds_header)
    except HfHubHTTPError as error:
        if error.response.status_code == 416:  # no byte lies in the range: the file is empty
            return b"", 0
        raise
    told = (body.headers.get("content-range", "").rpartition("/")[2], body.headers.get("x-linked-size", ""))
    size = next((int(value) for value in told if value.isdecimal() and len(value) < 19), None)
    length = 8 + int.from_bytes(body.content[:8], "little")
    if body.whole and len(body.content) < min(length, size or 0, LONGEST_HEADER):
        raise httpx2.ReadError("the header ends too early")
    return body.content, size


def _holds_header(content: bytearray) -> bool:
    return len(content) >= 8 and len(content) >= 8 + int.from_bytes(content[:8], "little")


def _shapes(tensors: dict[str, Any], space: int | None) -> dict[str, tuple[int, ...]]:
    """Name -> shape; ValueError where the data lie outside `space` bytes or do not fit the shape."""
    shapes = {}
    for name, tensor in tensors.items():
        shape = tuple(tensor["shape"])
        if len(shape) > SIDES or not all(type(side) is int and 0 <= side < 2**31 for side in shape):
            raise ValueError("a side is no size")
        begin, end = tensor["data_offsets"]
        bits = BITS.get(tensor["dtype"])
        if not 0 <= begin <= end <= (end if space is None else space) or (
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


def snapshot(source: Source, patterns: Sequence[str], *, folders: Sequence[str] = ()) -> Path:
    """The folder of the snapshot at the pinned commit with every file of its root that matches one of the patterns.

    Second copies of the weights are left out: those in folders, `consolidated` ones and such in other precisions.

    One request where all is cached, two with `folders`, none offline.

    Args:
        source: the repository.
        patterns: such as `*.json`.
        folders: whose matching files are wanted, too.

    Raises:
        SourceError: the repository is missing, gated or private.
        HubExpertError: the Hub cannot be reached, or the files are not in the cache offline.
    """
    inside = [f"{folder}/{pattern}" for folder in folders for pattern in patterns]
    for allowed, ignored in ((list(patterns), SECOND_COPIES), (inside, SECOND_COPIES[1:])):
        if allowed:
            root = call(functools.partial(_snapshot, source, allowed, ignored), source.repo)
    return Path(root)


def _snapshot(source: Source, allowed: list[str], ignored: list[str]) -> str:
    return snapshot_download(
        source.repo,
        repo_type=source.repo_type,
        revision=source.revision,
        allow_patterns=allowed,
        ignore_patterns=ignored,
    )


def cached(source: Source, filename: str) -> bool:
    """Whether the file at the pinned commit is on this machine."""
    found = try_to_load_from_cache(source.repo, filename, revision=source.revision, repo_type=source.repo_type)
    return isinstance(found, str)


def forget(source: Source, filename: str) -> None:
    """Remove a file at the pinned commit from the cache, where it is; the next download fetches it again."""
    found = try_to_load_from_cache(source.repo, filename, revision=source.revision, repo_type=source.repo_type)
    if isinstance(found, str):
        Path(found).resolve().unlink(missing_ok=True)
        Path(found).unlink(missing_ok=True)


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
