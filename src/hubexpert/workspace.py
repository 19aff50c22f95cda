"""The workspace `.hubexpert/` beside the recipe: finished results, and journals of long loops.

A result is written to a temporary file and renamed, so a file that exists is finished. A step is skipped while the
fingerprint of its inputs holds. A journal is appended to line by line and tolerates a last line cut short.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hubexpert.errors import HubExpertError
from hubexpert.records import Record

R = TypeVar("R", bound=Record)
WORKSPACE = ".hubexpert"
METHOD = (
    3  # raised whenever prompts, answers, metrics or mixtures are made differently: stored results then do not hold
)


def fingerprint(value: object) -> str:
    """The SHA-256 of a value made of records, dicts, sequences and scalars; equal values give equal digests."""
    return hashlib.sha256(json.dumps(_plain(value), sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def digests(folder: Path) -> dict[str, str]:
    """Of every file below the folder, by its path from there, the SHA-256."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def contents_digest(paths: Iterable[Path]) -> str:
    """The SHA-1 of files' names and contents, in hex: what stands for a commit where there is none."""
    total = hashlib.sha1(usedforsecurity=False)
    for path in sorted(paths):
        total.update(f"{path.name}\n{file_digest(path)}\n".encode())
    return total.hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Write `text` so that `path` holds either what it held or all of `text`, also after a kill."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@dataclass(frozen=True)
class Journal:
    """A file of JSON lines, keyed: the progress of a loop that must not repeat itself."""

    path: Path

    def read(self) -> dict[str, Any]:
        """Every finished entry by its key; a line cut short by a kill is dropped."""
        if not self.path.exists():
            return {}
        entries = {}
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
                entries[entry["key"]] = entry["value"]
            except (json.JSONDecodeError, KeyError, TypeError):
                continue  # the line in hand when the process was killed
        return entries

    def append(self, key: str, value: object) -> None:
        """Add one entry and force it to disk."""
        self.extend({key: value})

    def extend(self, entries: Mapping[str, object]) -> None:
        """Add entries and force them to disk, all with one write."""
        if not entries:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps({"key": key, "value": _plain(value)}) + "\n" for key, value in entries.items())
        with self.path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # several processes may leave entries
            if file.seek(0, os.SEEK_END) > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")  # seal a line cut short, or it would swallow this one
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())


@dataclass(frozen=True)
class Workspace:
    """The folder where the stages of one recipe leave their results."""

    root: Path

    def journal(self, name: str) -> Journal:
        """The journal called `name`."""
        return Journal(self.root / f"{name}.jsonl")

    def step(
        self,
        name: str,
        inputs: object,
        produce: Callable[[], R],
        record: type[R],
        *,
        again: bool = False,
        keep: Callable[[R], bool] = lambda _: True,
    ) -> tuple[R, bool]:
        """The result of the step `name` and whether it had to be produced.

        Args:
            name: the step; its result lies in `<name>.json`.
            inputs: all that the result depends on; while its fingerprint holds, `produce` is not called.
            produce: makes the result.
            record: the type of the result.
            again: produce even if the fingerprint holds.
            keep: whether a result is final; one that is not is returned and not stored.
        """
        digest = fingerprint(inputs)
        stored = self._stored(name, record)
        if stored and stored[0] == digest and not again:
            return stored[1], False
        result = produce()
        if keep(result):
            self.write(name, digest, result)
        return result, True

    def write(self, name: str, digest: str, result: Record) -> None:
        """Store the result of the step `name` made from inputs with that fingerprint."""
        payload = {"inputs": digest, "result": result.model_dump(mode="json")}
        write_atomically(self.root / f"{name}.json", json.dumps(payload, indent=1))

    def stored(self, name: str, record: type[R]) -> R | None:
        """What the step `name` left, whatever it was made from; None where there is nothing of this form."""
        found = self._stored(name, record)
        return found[1] if found else None

    def replace_folder(self, name: str, fill: Callable[[Path], None]) -> Path:
        """Fill a temporary folder, then put it in the place of the folder `name`; returns that folder."""
        target, temporary = self.root / name, self.root / f".{name}.new"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        fill(temporary)
        shutil.rmtree(target, ignore_errors=True)
        temporary.replace(target)
        return target

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the workspace, which git is told to ignore: two runs at once would write over each other.

        Raises:
            HubExpertError: another process holds it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        if not (self.root / ".gitignore").exists():
            write_atomically(self.root / ".gitignore", "*\n")
        with (self.root / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise HubExpertError(
                    f"Another hubexpert works in {self.root}.", fix="wait until it is done, or stop it first"
                ) from error
            yield

    def _stored(self, name: str, record: type[R]) -> tuple[str, R] | None:
        """The fingerprint and result in `<name>.json`; None where there is none of this form."""
        path = self.root / f"{name}.json"
        if not path.is_file():
            return None
        try:
            payload = json.loads(path.read_text(encoding="utf-8"))
            return str(payload["inputs"]), record.model_validate(payload["result"])
        except (ValueError, KeyError, TypeError):  # no UTF-8, no JSON, another record
            return None
