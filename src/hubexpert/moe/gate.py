"""The token-wise gate, inside `lora_A`: PEFT's LoRA layers do the rest.

y = W x + B (g(x)[owner of each rank column] ⊙ (A x)), one pass, no loop over experts. g(x) is the softmax over the
top-k logits of a bias-free linear map of the module's own input (Open Knowledge, eq. 8-9), 1 for the shared expert.
"""

import torch
from torch import nn

LEAST_MEAN = 1e-4


def gates(x: torch.Tensor, router: torch.Tensor, top_k: int) -> torch.Tensor:
    """The gate of every expert for every token.

    Args:
        x: [..., in].
        router: [experts, in].
        top_k: how many experts a token uses.

    Returns:
        [..., experts]: the softmax over the top k logits, 0 elsewhere; each token's gates sum to 1.
    """
    logits = nn.functional.linear(x, router)
    best, chosen = logits.topk(min(top_k, router.shape[0]), dim=-1)
    return torch.zeros_like(logits).scatter(-1, chosen, best.softmax(-1))


class GatedLinear(nn.Linear):
    """A `lora_A` whose rank columns are gated token by token.

    `weight` [r, in] stays where PEFT looks for it, so saving, merging and `disable_adapter` see the static form.
    `mean` [experts] is what has been folded into B: the forward multiplies by gate / mean.
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

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A x [..., r], each rank column times its owner's gate over the gate that is folded into B."""
        inner = nn.functional.linear(x, self.weight)
        if not self.routed:
            return inner
        gate = gates(x, self.router, self.top_k) / self.mean
        return inner * nn.functional.pad(gate, (0, 1), value=1.0)[..., self.owner]


@torch.no_grad()
def fold(layer: GatedLinear, b: torch.Tensor, mean: torch.Tensor) -> None:
    """Fold the mean gates [experts] into B [out, r] in place, so that the static form is the mean mixture.

    A mean below 1e-4 is taken as 1e-4: the router divides by it.
    """
    mean = mean.clamp(min=LEAST_MEAN).to(layer.mean)
    factor = nn.functional.pad(mean / layer.mean, (0, 1), value=1.0)[layer.owner]
    b.mul_(factor.to(b))
    layer.mean.copy_(mean)
