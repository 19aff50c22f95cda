"""What is watched while a reranker learns: its divergence, and whether it orders better what questions find."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hubexpert.recipe import KardSection
from hubexpert.reranker.candidates import Pool, draw
from hubexpert.reranker.loss import anchored, divergence
from hubexpert.reranker.models import Reranker, compare
from hubexpert.reranker.quality import carried
from hubexpert.reranker.rank import blended, order, rerank

Texts = Callable[[Sequence[int]], Sequence[str]]
BATCH = 8  # questions of a step
FIRST = 5  # passages that count in the order


@dataclass(frozen=True)
class Watched:
    """How a reranker does on questions that it does not learn from; None where there are none to tell by.

    Attributes:
        divergence: the mean KL, in nats, over few candidates drawn from both queries.
        carried: of all that the question finds, how much of what the rationale wants its first passages carry: 0 to 1.
    """

    divergence: float | None = None
    carried: float | None = None

    def better_than(self, other: "Watched") -> bool:
        """Whether it diverges less and carries more; what is not known does not count."""
        nearer = self.divergence is None or other.divergence is None or self.divergence < other.divergence
        return nearer and (self.carried is None or other.carried is None or self.carried > other.carried)


def watch(
    reranker: Reranker, first: Reranker, pools: Sequence[Pool], texts: Texts, section: KardSection, seed: int
) -> Watched:
    """How it does on these questions, with the same candidates whenever it is asked."""
    total = 0.0
    for begin in range(0, len(pools), BATCH):
        batch = pools[begin : begin + BATCH]
        with torch.inference_mode():
            total += float(divergences(reranker, first, batch, texts, section, [seed, 1, begin]).sum())
    if not pools or not math.isfinite(total):
        return Watched(total if pools else None)
    return Watched(total / len(pools), _carried(reranker, pools, texts, section))


def _carried(reranker: Reranker, pools: Sequence[Pool], texts: Texts, section: KardSection) -> float | None:
    """The mean over the questions that find a passage with a word of the rationale; None where there is none."""
    # in the order of their numbers: where a model tells passages not apart, their order must not be the rationale's
    places = [np.flatnonzero(pool.asked)[np.argsort(pool.ids[pool.asked])] for pool in pools]
    told = [(pool, at) for pool, at in zip(pools, places, strict=True) if pool.scores[at].any()]
    scores = rerank(
        reranker, [pool.question for pool, _ in told], [texts(pool.ids[at].tolist()) for pool, at in told], quiet=True
    )
    ranked = [
        order(blended(each, pool.found[at], section.words)).tolist()
        for (pool, at), each in zip(told, scores, strict=True)
    ]
    each = [carried(pool.scores[at].tolist(), ours, FIRST) for (pool, at), ours in zip(told, ranked, strict=True)]
    return float(np.mean(each)) if each else None


def divergences(
    reranker: Reranker, first: Reranker, pools: Sequence[Pool], texts: Texts, section: KardSection, seed: Sequence[int]
) -> Tensor:
    """The divergence of each question `[questions]`, from candidates drawn by the seed.

    Args:
        reranker: as it is now.
        first: as it was at its start.
        pools: of the questions.
        texts: of places of passages, their texts.
        section: candidates of a step, temperatures, and how far `first` counts.
        seed: of the draw.
    """
    generator = np.random.default_rng(seed)
    drawn = [draw(pool, section.candidates, generator) for pool in pools]
    passages = [list(texts(pool.ids[places].tolist())) for pool, places in zip(pools, drawn, strict=True)]
    questions = [pool.question for pool in pools]
    predicted = compare(reranker, questions, passages)
    wanted, mask = torch.zeros_like(predicted), torch.zeros_like(predicted, dtype=torch.bool)
    for row, (pool, places) in enumerate(zip(pools, drawn, strict=True)):
        wanted[row, : len(places)] = torch.from_numpy(pool.scores[places]).to(wanted)
        mask[row, : len(places)] = True
    if section.prior:
        with torch.no_grad():
            own = compare(first, questions, passages)
        wanted = anchored(wanted, own, section.prior, section.sharpness)
    return divergence(predicted, wanted, mask, section.sharpness)
