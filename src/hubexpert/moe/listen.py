"""What goes through the gates: the mean gate of every expert, and the balance of their load."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from hubexpert.lm import Encoded, Lm, batches, left_padded
from hubexpert.moe.adapter import gated_layers
from hubexpert.moe.gate import GatedLinear, fold


@contextmanager
def listening(modules: dict[str, nn.Module], hear: Callable[[str, torch.Tensor], None]) -> Iterator[None]:
    """Within the block `hear` is told the name and the input [batch, tokens, in] of a module before it computes."""

    def listen(name: str, module: nn.Module) -> Any:
        return module.register_forward_pre_hook(lambda _, inputs: hear(name, inputs[0]))

    handles = [listen(name, module) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def passes(model: Lm, encoded: Sequence[Encoded]) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Reads the examples in batches; yields before each pass which they are, and which positions hold tokens.

    The mask is [batch, tokens]. What exceeds the model's context is cut from the left.
    """
    for batch in batches([len(e.prompt) + len(e.answer) for e in encoded]):
        rows = [(*encoded[i].prompt, *encoded[i].answer)[-model.context :] for i in batch]
        inputs = left_padded(rows, model.tokenizer.pad_token_id, model.device)
        yield batch, inputs["attention_mask"]
        model.model(**inputs, use_cache=False)


@torch.inference_mode()
def mean_gates(model: Lm, encoded: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    """Module -> the mean gate of every expert [experts] over all tokens of the examples: the routing shares."""
    layers = {module: gate for module, (gate, _) in gated_layers(model.model).items()}
    sums = {module: torch.zeros(gate.router.shape[0]) for module, gate in layers.items()}
    tokens, mask = 0, torch.empty(0)

    def hear(module: str, x: torch.Tensor) -> None:
        shares = layers[module].gate(x)  # [batch, tokens, experts]
        sums[module] += (shares * mask[..., None]).sum((0, 1)).float().cpu()

    with listening(dict(layers), hear):
        for _, seen in passes(model, encoded):
            mask, tokens = seen, tokens + int(seen.sum())
    return {module: total / tokens for module, total in sums.items()}


def fold_means(model: nn.Module, means: dict[str, torch.Tensor]) -> None:
    """Fold the mean gates into every B: the static form becomes the mean mixture, the routed one stays as it is."""
    for module, (gate, b) in gated_layers(model).items():
        fold(gate, b.weight.data, means[module].to(b.weight.device))


def imbalance(
    gate: GatedLinear,
    x: torch.Tensor,
    mask: torch.Tensor,
    total: Callable[[torch.Tensor], torch.Tensor] = lambda counts: counts,
) -> torch.Tensor:
    """How unevenly one gate spreads the tokens: 1 if evenly, up to the number of experts if all go to the same.

    E Σₑ fₑ Pₑ (Switch Transformers, arXiv 2101.03961, eq. 4-6): fₑ is the share of the choices that fell on e, Pₑ the
    mean softmax over all logits; gradients reach the router through P alone.

    Args:
        gate: the gate.
        x: its input, [batch, tokens, in].
        mask: 1 where there is a token, [batch, tokens].
        total: adds up what several processes counted, each in its part of the batch; their results add up to the whole.
    """
    probabilities = nn.functional.linear(x, gate.router).softmax(-1)[mask.bool()]  # [all tokens, experts]
    chosen = (gate.gate(x).detach() > 0)[mask.bool()].float()
    counts = total(torch.cat([chosen.sum(0), chosen.new_tensor([len(chosen)])]))  # [experts + 1]: the last is tokens
    share = counts[:-1] / counts[:-1].sum()
    return len(gate.router) * (share * (probabilities.sum(0) / counts[-1])).sum()
