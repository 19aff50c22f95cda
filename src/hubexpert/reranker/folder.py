"""A reranker on disk: a model of sentence-transformers, and beside it what tells its kind."""

import shutil
from pathlib import Path

from pydantic import ValidationError

from hubexpert.embed.encoder import loading
from hubexpert.embed.files import check
from hubexpert.errors import HubExpertError
from hubexpert.records import RerankerRecord
from hubexpert.reranker.models import FIX, Reranker, opened
from hubexpert.workspace import write_atomically

RECORD = "reranker.json"


def save(reranker: Reranker, record: RerankerRecord, folder: Path) -> None:
    """Write the model, as safetensors, and the record; what the folder held is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    reranker.model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)
    write_atomically(folder / RECORD, record.model_dump_json(indent=1))


def read_record(folder: Path) -> RerankerRecord:
    """What is known of the reranker in that folder.

    Raises:
        HubExpertError: it holds none.
    """
    try:
        return RerankerRecord.model_validate_json((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise HubExpertError(f"{folder} holds no reranker: its {RECORD} is missing or damaged.", fix=FIX) from error


def load(folder: Path, *, device: str | None = None) -> Reranker:
    """The reranker in that folder, from safetensors, without code of its own.

    Args:
        folder: that `save` wrote, perhaps on another machine and by whoever published it.
        device: a torch device; by default CUDA where there is one, else the CPU.

    Raises:
        HubExpertError: sentence-transformers is missing, or the folder holds no reranker.
    """
    record = read_record(folder)
    with loading(str(folder), "a reranker", fix=FIX):
        check(folder)
        return Reranker(record.kind, record.start, opened(folder, record.kind, device).eval())
