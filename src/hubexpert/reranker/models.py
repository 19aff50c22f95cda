"""The three kinds of reranker, each a model of sentence-transformers: how it starts, and its scores with gradients.

`bi` is a SentenceTransformer, and f(x, d) the cosine. `late` is a MultiVectorEncoder: the mean over the question's
tokens of the best cosine among the passage's. `cross` is a CrossEncoder with one output, through the sigmoid. All lie
between -1 and 1, so one temperature does for all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from hubexpert.embed.encoder import library, load_encoder, loading, located, opening
from hubexpert.lock import unplaced
from hubexpert.records import RerankerKind

PROMPTS = {"query": ("query",), "document": ("document", "passage", "corpus")}
TOGETHER = {"cpu": 16}  # texts that are read at once in training; elsewhere all
MANY_VECTORS = "MultiVectorMask"  # the module that tells a late-interaction model
FIX = "set `data.kard.model` to one that sentence-transformers loads from safetensors without remote code"


@dataclass(frozen=True)
class Reranker:
    """A model that scores question and passage.

    Attributes:
        kind: `bi`, `cross` or `late`.
        start: the name of the model it started from; of a folder only the last part, since it is published.
        model: of sentence-transformers, in evaluation mode.
    """

    kind: RerankerKind
    start: str
    model: Any


def start(name: str, kind: RerankerKind, *, seed: int, device: str | None = None) -> Reranker:
    """The untrained reranker of that kind.

    A sentence encoder becomes a late-interaction model by leaving out its pooling, and a cross-encoder by a new head,
    which has learned nothing yet; models that are of the kind already are taken as they are.

    Args:
        name: as for `load_encoder`; a cross-encoder may be a plain model of transformers.
        kind: what it becomes.
        seed: of a new head.
        device: a torch device; by default CUDA where there is one, else the CPU.

    Raises:
        HubExpertError: sentence-transformers is missing, or the model cannot be had or loaded.
    """
    if kind == "bi":
        encoder = load_encoder(name, device=device)
        return Reranker(kind, unplaced(encoder.name), encoder.model.eval())
    with loading(name, "a reranker", fix=FIX), torch.random.fork_rng(devices=[]):
        found = located(name, bare=kind == "cross")
        torch.manual_seed(seed)
        model = crossed(found.folder, device) if kind == "cross" else _late(found.folder, device)
    return Reranker(kind, unplaced(found.name), model.eval())


def opened(folder: Path, kind: RerankerKind, device: str | None) -> Any:
    """The model of that kind in a folder that was checked."""
    if kind == "cross":
        return crossed(folder, device)
    kinds = {"bi": library().SentenceTransformer, "late": library().MultiVectorEncoder}
    return kinds[kind](str(folder), **opening(device))


def crossed(folder: Path, device: str | None) -> Any:
    """A cross-encoder with one output through the sigmoid, whatever function the folder names."""
    return library().CrossEncoder(str(folder), num_labels=1, activation_fn=torch.nn.Sigmoid(), **opening(device))


def _late(folder: Path, device: str | None) -> Any:
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
    from sentence_transformers.sentence_transformer.modules import Normalize

    if MANY_VECTORS in (folder / "modules.json").read_text(encoding="utf-8"):
        return opened(folder, "late", device)
    encoder = library().SentenceTransformer(str(folder), **opening(device))
    modules = [encoder[0], MultiVectorMask(), Normalize("token_embeddings")]
    return library().MultiVectorEncoder(
        modules=modules, device=str(encoder.device), prompts=encoder.prompts, similarity_fn_name="meanmaxsim"
    )


def compare(reranker: Reranker, questions: Sequence[str], passages: Sequence[Sequence[str]]) -> Tensor:
    """f(x, d) with gradients `[questions, most passages]`; 0 where a question has fewer.

    Args:
        reranker: in training or evaluation mode.
        questions: the texts.
        passages: of each question.
    """
    owner = torch.tensor([at for at, texts in enumerate(passages) for _ in texts], device=reranker.model.device)
    place = torch.tensor([at for texts in passages for at in range(len(texts))], device=reranker.model.device)
    flat = [text for texts in passages for text in texts]
    scores = _pairs(reranker, questions, flat, owner)
    table = scores.new_zeros(len(questions), max(map(len, passages)))
    return table.index_put((owner, place), scores)


def _pairs(reranker: Reranker, questions: Sequence[str], passages: list[str], owner: Tensor) -> Tensor:
    """F of each passage and the question that owns it `[passages]`."""
    from sentence_transformers.util import maxsim_pairwise

    model = reranker.model
    if reranker.kind == "cross":
        pairs = [(questions[at], text) for at, text in zip(owner.tolist(), passages, strict=True)]
        return _in_parts(model, pairs, lambda part: _logits(model, part))
    if reranker.kind == "bi":
        asked = _in_parts(model, list(questions), lambda part: _vectors(model, part, "query"))
        return (asked[owner] * _in_parts(model, passages, lambda part: _vectors(model, part, "document"))).sum(1)
    ours, theirs = _read(model, list(questions), "query"), _read(model, passages, "document")
    return maxsim_pairwise(
        ours["token_embeddings"][owner],
        theirs["token_embeddings"],
        ours["attention_mask"][owner],
        theirs["attention_mask"],
        length_normalize=True,
    )


def _in_parts(model: Any, inputs: list[Any], read: Callable[[list[Any]], Tensor]) -> Tensor:
    """What `read` makes of the inputs, in their order; those of like length are read together, with little padding."""
    by_length = sorted(range(len(inputs)), key=lambda at: len("".join(inputs[at])))
    size = TOGETHER.get(model.device.type, len(inputs))
    parts = [read([inputs[at] for at in by_length[begin : begin + size]]) for begin in range(0, len(inputs), size)]
    return torch.cat(parts)[torch.tensor(by_length, device=model.device).argsort()]


def _vectors(model: Any, texts: list[str], task: str) -> Tensor:
    return normalize(_read(model, texts, task)["sentence_embedding"].float())


def _logits(model: Any, pairs: list[tuple[str, str]]) -> Tensor:
    scores = model(_moved(model.preprocess(pairs), model.device))["scores"]
    return model.activation_fn(scores.float()).reshape(-1)


def _read(model: Any, texts: list[str], task: str) -> Any:
    prompt = next((model.prompts[name] for name in PROMPTS[task] if name in model.prompts), None)
    return model(_moved(model.preprocess(texts, prompt=prompt, task=task), model.device), task=task)


def _moved(features: Any, device: Any) -> Any:
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in features.items()}
