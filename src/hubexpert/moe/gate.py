"""The token-wise gate, inside `lora_A`: PEFT's LoRA layers do the rest.

y = W x + B (g(x)[owner of each rank column] ⊙ (A x)), one pass, no loop over experts. g(x) is the softmax over the
top-k logits of a bias-free linear map of the module's own input (Open Knowledge, eq. 8-9), 1 for the shared expert.
"""

from collections.abc import Collection

import torch
from torch import nn

LEAST_MEAN = 1e-4


def gates(logits: torch.Tensor, top_k: int) -> torch.Tensor:
    """The gate of every expert for every token.

    Args:
        logits: [..., experts].
        top_k: how many experts a token uses.

    Returns:
        [..., experts]: the softmax over the top k logits, 0 elsewhere; each token's gates sum to 1. Experts whose
        logits equal the k-th are all used.
    """
    return _gates(logits.clone(), top_k)


def _gates(logits: torch.Tensor, top_k: int) -> torch.Tensor:
    """The same; the logits are overwritten, which is faster where nobody else has them."""
    if top_k < logits.shape[-1]:
        least = logits.topk(top_k, dim=-1).values[..., -1:]
        logits.masked_fill_(logits < least, float("-inf"))
    return logits.softmax(-1)


class GatedLinear(nn.Linear):
    """A `lora_A` whose rank columns are gated token by token.

    `weight` [r, in] stays where PEFT looks for it, so saving, merging and `disable_adapter` see the static form.
    `mean` [experts] is what has been folded into B: the forward multiplies by gate / mean.

    Attributes:
        routed: False computes the static form.
        dropout: while training, the share of experts that a sequence does without, drawn anew for each.
        spread: [r, experts]: what a rank column takes of each gate: 1 / mean where the expert owns it, else 0; 0 for
            silenced experts. The shared expert's columns take 1 of every gate: gates sum to 1.
    """

    def __init__(
        self, weight: torch.Tensor, router: torch.Tensor, owner: torch.Tensor, mean: torch.Tensor, top_k: int
    ) -> None:
        nn.Module.__init__(self)
        self.out_features, self.in_features = weight.shape
        self.top_k = top_k
        self.weight = nn.Parameter(weight)
        self.register_parameter("bias", None)
        self.router = nn.Parameter(router)
        self.register_buffer("owner", owner, persistent=False)
        self.register_buffer("mean", mean, persistent=False)
        self.routed = True
        self.dropout = 0.0
        self.register_buffer("spread", torch.empty(0), persistent=False)
        self.silence(())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A x [..., r], each rank column times its owner's gate over the gate that is folded into B."""
        inner = nn.functional.linear(x, self.weight)
        if not self.routed:
            return inner
        return inner * nn.functional.linear(self.gate(x), self.spread)

    @property
    def always(self) -> torch.Tensor:
        """Whether the shared expert owns the rank column: [r], 1 or 0."""
        return (self.owner == len(self.mean)).to(self.mean)

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        """The gates [..., experts] of the module's input [..., in]."""
        logits = nn.functional.linear(x, self.router)
        if self.training and self.dropout:
            logits = logits.masked_fill(dropped(logits, self.dropout), float("-inf"))
        return _gates(logits, self.top_k)

    @torch.no_grad()
    def silence(self, experts: Collection[int]) -> None:
        """Let these experts, and no others, add nothing. The gates of the others stay as they are."""
        number = torch.arange(len(self.mean), device=self.owner.device)
        owns = (self.owner[:, None] == number).to(self.mean)
        owns[:, list(experts)] = 0
        self.spread = owns / self.mean + self.always[:, None]


def dropped(logits: torch.Tensor, share: float) -> torch.Tensor:
    """Which experts every sequence does without, [batch, 1, experts]; where all would be dropped, none is."""
    shape = (logits.shape[0], *(1 for _ in logits.shape[1:-1]), logits.shape[-1])
    out = torch.rand(shape, device=logits.device) < share
    return out & ~out.all(-1, keepdim=True)


@torch.no_grad()
def fold(layer: GatedLinear, b: torch.Tensor, mean: torch.Tensor) -> None:
    """Fold the mean gates [experts] into B [out, r] in place, so that the static form is the mean mixture.

    A mean below 1e-4 is taken as 1e-4: the router divides by it.
    """
    mean = mean.clamp(min=LEAST_MEAN).to(layer.mean)
    factor = nn.functional.pad(mean / layer.mean, (0, 1), value=1.0)[layer.owner]
    b.mul_(factor.to(b))
    layer.mean.copy_(mean)
    layer.silence(())
