"""Contents of files, each kept once under its sha256; a blob that exists is whole."""

import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from hubexpert.localhub.names import is_sha256
from hubexpert.localhub.records import Refusal

_ABANDONED_AFTER = 24 * 3600.0  # seconds; another process may still be writing a younger file
_PARTIAL_NAME = re.compile(r"[0-9a-f]{12}-[0-9a-f]{16}")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Blobs:
    """A folder of blobs, and in it one of half-written files."""

    root: Path

    @property
    def partial(self) -> Path:
        """The folder of half-written files."""
        return self.root / ".partial"

    def prepare(self) -> None:
        """Make the folders and remove what a killed process left half-written."""
        self.partial.mkdir(parents=True, exist_ok=True)
        for path in self.partial.iterdir():
            # Another process may finish its file, or remove it, at any moment.
            with suppress(FileNotFoundError):
                if _PARTIAL_NAME.fullmatch(path.name) and _is_abandoned(path.lstat()):
                    path.unlink()

    def path(self, sha256: str) -> Path:
        """Where the content with this sha256 lies, if it is here. `sha256` must be 64 hex digits."""
        if not is_sha256(sha256):
            raise Refusal(400, "A sha256 has 64 hex digits.")
        return self.root / sha256[:2] / sha256

    def size(self, sha256: str) -> int | None:
        """The size of a blob in bytes, or None when it is not here."""
        path = self.path(sha256)
        return path.stat().st_size if path.is_file() else None

    def read(self, sha256: str, limit: int) -> bytes:
        """At most the first `limit` bytes of a blob."""
        with self.path(sha256).open("rb") as file:
            return file.read(limit)

    def put(self, content: bytes) -> str:
        """Keep `content`; its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        if self.size(sha256) is None:
            with self._written(sha256) as file:
                file.write(content)
        return sha256

    def put_file(self, source: BufferedReader) -> str:
        """Keep the content of an open file, read chunk by chunk; its sha256.

        Raises:
            Refusal: when the file changes meanwhile.
        """
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        size = source.tell()
        source.seek(0)
        if self.size(sha256) is None:
            self.put_chunks(sha256, size, iter(lambda: source.read(_CHUNK), b""))
        return sha256

    def put_chunks(self, sha256: str, size: int, chunks: Iterable[bytes]) -> None:
        """Keep an upload announced with this sha256 and size.

        Raises:
            Refusal: when what arrives is not what was announced; nothing is kept then.
        """
        digest, received = hashlib.sha256(), 0
        with self._written(sha256) as file:
            for chunk in chunks:
                received += len(chunk)
                if received > size:
                    raise Refusal(400, f"More than the announced {size} bytes.")
                digest.update(chunk)
                file.write(chunk)
            if received != size or digest.hexdigest() != sha256:
                raise Refusal(400, "The content does not have the announced size and sha256.")

    @contextmanager
    def _written(self, sha256: str) -> Iterator[BinaryIO]:
        """A file that becomes the blob when the block ends well, and vanishes when it does not."""
        target = self.path(sha256)
        partial = self.partial / f"{sha256[:12]}-{secrets.token_hex(8)}"
        try:
            # Not `tempfile`, whose files only their owner can read: what one user adds, another's server serves.
            with partial.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            is_new_folder = not target.parent.is_dir()
            target.parent.mkdir(exist_ok=True)
            partial.replace(target)
            _sync_folder(target.parent)
            if is_new_folder:
                _sync_folder(self.root)
        finally:
            partial.unlink(missing_ok=True)


def _is_abandoned(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > _ABANDONED_AFTER


def _sync_folder(folder: Path) -> None:
    """Make a rename outlive a power cut. Windows cannot open a folder, and needs no such call."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
