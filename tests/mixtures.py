"""Published mixtures for tests: five real adapters of every scaling on the tiny base, folded, saved."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hubexpert.factors import read_factors
from hubexpert.lm import Encoded, Lm
from hubexpert.moe.adapter import attach, gated_layers, save
from hubexpert.moe.initial import random_routers
from hubexpert.moe.listen import fold_means, mean_gates
from hubexpert.moe.widen import linears, widen
from hubexpert.records import Source
from tests import tiny
from tests.test_moe import KINDS

EXPERTS = [Source(repo=f"tester/{kind}", revision="a" * 40) for kind in KINDS]


@dataclass(frozen=True)
class Published:
    """The folder of a mixture and that of its base."""

    folder: Path
    base: Path


def token_ids(*, rows: int = 3, length: int = 11, seed: int = 5) -> torch.Tensor:
    """A batch of token ids [rows, length]."""
    return torch.randint(0, 256, (rows, length), generator=torch.Generator().manual_seed(seed))


def publish(root: Path, *, base_name: str | None = None) -> Published:
    """A mixture as `build` leaves it: experts of every kind, a shared one of rank 3 with some effect, means folded."""
    base = tiny.save_base(root / "base")
    factors = [read_factors(tiny.lora(root / kind, seed=i, **how)) for i, (kind, how) in enumerate(KINDS.items())]
    model = tiny.model()
    layers = linears(model, {suffix for f in factors for suffix in f.suffixes})
    wide = widen(factors, layers, shared_rank=3, seed=1)
    made = attach(model, wide, random_routers(wide, seed=1), top_k=2)
    torch.manual_seed(7)
    for gate, b in gated_layers(made).values():
        shared = gate.owner == len(factors)
        b.weight.data[:, shared] = 0.2 * torch.randn(b.weight.shape[0], int(shared.sum()))
    rows = [Encoded(tuple(row[:6]), tuple(row[6:])) for row in token_ids().tolist()]
    fold_means(made, mean_gates(Lm(made.eval(), tiny.tokenizer()), rows))
    folder = root / "mixture"
    folder.mkdir()
    save(made, folder, base=base_name or str(base), experts=EXPERTS)
    return Published(folder, base)


def load_base(published: Published) -> Any:
    """The tiny base in float32, as transformers loads it."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(published.base, dtype=torch.float32).eval()
