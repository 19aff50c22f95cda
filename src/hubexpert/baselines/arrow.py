"""Arrow (arXiv 2405.11157): the same experts, routed token by token without training, by PEFT's own implementation."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from peft import ArrowConfig, create_arrow_model

from hubexpert.baselines.padded import write_padded
from hubexpert.factors import Factors
from hubexpert.lm import Lm

TOP_K = 2


@contextmanager
def arrow(model: Lm, experts: Sequence[Factors], *, seed: int) -> Iterator[Lm]:
    """Within the block the base with the experts, of which every token uses two; afterwards the base as it was.

    In each module an expert's prototype is the direction in which its ΔW is largest (its first right singular vector),
    and a token's gates are the softmax over the two largest |prototype · x|. PEFT takes experts of one rank on the same
    modules alone, so they are padded with zeros: that changes no ΔW, and an expert that lacks a module has the
    prototype 0 there, so its |prototype · x| is the smallest. Where it is still among the two, it takes its share of
    the gates and adds nothing.

    Args:
        model: the base.
        experts: their factors.
        seed: of the vectors with which PEFT's search for the prototypes starts.
    """
    config = ArrowConfig(top_k=min(TOP_K, len(experts)), router_temperature=1.0, rng_seed=seed)
    with tempfile.TemporaryDirectory(prefix="hubexpert-arrow-") as temporary:
        routed = create_arrow_model(model.model, write_padded(model.model, experts, Path(temporary)), config)
    try:
        yield Lm(routed.eval(), model.tokenizer)
    finally:
        routed.unload()
