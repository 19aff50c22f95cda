"""What a reranker says of passages: their scores, and their order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubexpert.errors import HubExpertError
from hubexpert.progress import track
from hubexpert.reranker.models import Reranker

Floats = NDArray[np.float32]
DECIMALS = 5  # of a score: equal passages tie, with whatever others they were read
BLOCK = {"bi": 1024, "cross": 64, "late": 16}  # questions whose passages are in memory at once
NO_NUMBERS = "lower `data.kard.learning_rate`, or name another `data.kard.model`"
BATCH = {"cuda": 256, "cpu": 32}  # texts that the model reads at once


def rerank(
    reranker: Reranker, questions: Sequence[str], passages: Sequence[Sequence[str]], *, quiet: bool = False
) -> list[Floats]:
    """f(x, d) of every question and each of its passages, in the order given.

    Args:
        reranker: the model.
        questions: the texts.
        passages: of each question; there may be none. One that several questions share is read once.
        quiet: no progress.

    Raises:
        HubExpertError: the model makes scores that are no numbers.
    """
    size, scores = BLOCK[reranker.kind], []
    for begin in track(range(0, len(questions), size), f"reranking, {size} questions at a time", quiet=quiet):
        end = begin + size
        scores += _block(reranker, list(questions[begin:end]), passages[begin:end])
    if not all(np.isfinite(each).all() for each in scores):
        raise HubExpertError(f"The reranker made of {reranker.start} gives scores that are no numbers.", fix=NO_NUMBERS)
    return scores


def blended(scores: Floats, found: NDArray[Any], weight: float) -> Floats:
    """The reranker's scores and BM25's by the question, which knows the words that a sentence's vector blurs.

    Args:
        scores: f(x, d) of the passages.
        found: their BM25 scores by the question, not negative; they count as shares of the best.
        weight: how far they do.
    """
    return (scores + weight * shares(found)).astype(np.float32)


def shares(found: NDArray[Any]) -> Floats:
    """Scores that are not negative, as shares of the best one; all 0 where that is 0 or there is none."""
    best = np.max(found, initial=0)
    return np.asarray(found / best if best > 0 else np.zeros(len(found)), np.float32)


def order(scores: Floats) -> NDArray[np.int64]:
    """The places of the passages, the best first, equal ones as they stood."""
    return np.argsort(-scores, kind="stable")


def _block(reranker: Reranker, questions: list[str], passages: Sequence[Sequence[str]]) -> list[Floats]:
    texts = list(dict.fromkeys(text for each in passages for text in each))
    if not texts:
        return [np.empty(0, np.float32) for _ in questions]
    number = {text: at for at, text in enumerate(texts)}
    places = [[number[text] for text in each] for each in passages]
    score = {"bi": _cosines, "late": _late, "cross": _cross}[reranker.kind]
    found = score(reranker.model, questions, texts, places)
    return [np.asarray(each, np.float32).round(DECIMALS) for each in found]


def _cosines(model: Any, questions: list[str], texts: list[str], places: list[list[int]]) -> list[Any]:
    how = {"normalize_embeddings": True, "show_progress_bar": False, "batch_size": _batch(model)}
    ours, theirs = model.encode_query(questions, **how), model.encode_document(texts, **how)
    return [theirs[at] @ one for at, one in zip(places, ours, strict=True)]  # [passages] each


def _late(model: Any, questions: list[str], texts: list[str], places: list[list[int]]) -> list[Any]:
    from sentence_transformers.util import maxsim

    how = {"show_progress_bar": False, "batch_size": _batch(model)}
    ours, theirs = model.encode_query(questions, **how), model.encode_document(texts, **how)
    return [
        maxsim([one], [theirs[place] for place in at], length_normalize=True)[0].cpu() if at else []
        for at, one in zip(places, ours, strict=True)
    ]


def _cross(model: Any, questions: list[str], texts: list[str], places: list[list[int]]) -> list[Any]:
    pairs = [(question, texts[place]) for question, at in zip(questions, places, strict=True) for place in at]
    flat = model.predict(pairs, show_progress_bar=False, batch_size=_batch(model))
    return np.split(flat, np.cumsum([len(at) for at in places])[:-1])


def _batch(model: Any) -> int:
    return BATCH.get(model.device.type, BATCH["cuda"])
