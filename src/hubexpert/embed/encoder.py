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
from hubexpert.errors import HubExpertError, first_line
from hubexpert.recipe import is_folder

Floats = NDArray[np.float32]
PACKAGED = "packaged"
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
    with _loading(name):
        if name == PACKAGED or is_folder(name):
            folder = packaged() if name == PACKAGED else Path(name).expanduser().resolve()
            called, origin = name if name == PACKAGED else str(folder), ("folder", digest(folder))
        else:
            repo, _, revision = name.partition("@")
            source = hub.resolve(repo, revision=revision or None)
            folder = from_hub(source)
            called, origin = f"{source.repo}@{source.revision}", (source.repo, source.revision)
        check(folder)
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
