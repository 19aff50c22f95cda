"""The door to sentence encoders: one that is on the Hub, in a folder, or in a package; its vectors have unit length."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubexpert import hub
from hubexpert.embed.files import check, digest, from_hub, packaged
from hubexpert.errors import HubExpertError, first_line, needed
from hubexpert.recipe import is_folder

Floats = NDArray[np.float32]
PACKAGED = "packaged"
FIX = "set `data.encoder` to one that sentence-transformers loads from safetensors without remote code"
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


@dataclass(frozen=True)
class Located:
    """The files of a model on this machine.

    Attributes:
        name: `located` finds the same one by it, also on another machine.
        origin: its repository and commit; or `folder` and the digest of its files.
        folder: where they are.
    """

    name: str
    origin: tuple[str, str]
    folder: Path


def load_encoder(name: str, *, device: str | None = None) -> Encoder:
    """The sentence encoder called `name`, from safetensors, without code of its own.

    Args:
        name: a model on the Hub, optionally `@revision`; a folder; or `packaged` (all-MiniLM-L6-v2 from PyPI).
        device: a torch device; by default CUDA where there is one, else the CPU.

    Raises:
        HubExpertError: sentence-transformers or the package is missing, or the encoder cannot be had or loaded.
    """
    with loading(name, "a sentence encoder", fix=FIX):
        found = located(name)
        model = library().SentenceTransformer(str(found.folder), **opening(device))
        dimensions = int(model.get_embedding_dimension())
    return Encoder(found.name, (*found.origin, dimensions), dimensions, model)


def located(name: str, *, bare: bool = False) -> Located:
    """Where the files of the model called `name` are, after they were downloaded if they had to be.

    Args:
        name: as for `load_encoder`.
        bare: whether a model without a list of modules, a plain one of transformers, will do.

    Raises:
        HubExpertError: it cannot be had.
        ValueError: it holds pickles, or is no model.
    """
    if name == PACKAGED or is_folder(name):
        folder = packaged() if name == PACKAGED else Path(name).expanduser().resolve()
        found = Located(name if name == PACKAGED else str(folder), ("folder", digest(folder)), folder)
    else:
        repo, _, revision = name.partition("@")
        source = hub.resolve(repo, revision=revision or None)
        folder = from_hub(source, bare=bare)
        found = Located(f"{source.repo}@{source.revision}", (source.repo, source.revision), folder)
    check(found.folder, bare=bare)
    return found


def opening(device: str | None) -> dict[str, Any]:
    """What makes any class of sentence-transformers open a folder from safetensors, without code of its own.

    Args:
        device: a torch device; by default CUDA where there is one, else the CPU.
    """
    return {
        "device": device or _device(),
        "local_files_only": True,
        "trust_remote_code": False,
        "model_kwargs": {"use_safetensors": True},
    }


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


def library() -> Any:
    """The module `sentence_transformers`.

    Raises:
        HubExpertError: it is not installed.
    """
    found = needed("sentence_transformers", "embeds texts")
    from transformers.utils import logging

    logging.disable_progress_bar()
    return found


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def loading(name: str, what: str, *, fix: str) -> Iterator[None]:
    """Within the block a model `name` that cannot be loaded as `what` is one sentence and a fix."""
    library()
    from safetensors import SafetensorError

    foreign = (OSError, ValueError, KeyError, ImportError, RuntimeError, TypeError, AttributeError, SafetensorError)
    try:
        yield
    except foreign as error:
        raise HubExpertError(f"{name} cannot be loaded as {what}: {first_line(error)}", fix=fix) from error
