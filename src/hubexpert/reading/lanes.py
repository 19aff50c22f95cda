"""Several adapters on one model, side by side."""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Lanes:
    """Several adapters on one model: `assign` is told which adapter each row of the next batch belongs to."""

    count: int
    assign: Callable[[torch.Tensor], None]


ALONE = Lanes(1, lambda owner: None)
