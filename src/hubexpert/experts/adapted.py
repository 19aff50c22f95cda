"""Adapted perplexity: how well an adapter explains some of the shots after a few steps on the others.

Exact match is 0 and perplexity says nothing where an adapter answers in another form than the task asks for, although
what it knows is what the task needs. A few steps mend the form; what is left tells the adapters apart.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from hubexpert import lm
from hubexpert.errors import HubExpertError
from hubexpert.factors import Factors
from hubexpert.lm import Encoded, Lm, batches
from hubexpert.lowrank import thin_svd
from hubexpert.reading.prefix import last_logits, shared
from hubexpert.slots import applied

IGNORED = -100
ROW = 3**-0.5
WEIGHT_DECAY = 1e-4  # as in training


@dataclass(frozen=True)
class Adaptation:
    """How an adapter is adapted: K-fold, `epochs` over the other folds at a constant learning rate."""

    folds: int = 2
    epochs: int = 3
    learning_rate: float = 2e-3
    batch_size: int = 4
    max_rank: int = 16


def adapted_nlls(
    model: Lm, factors: Factors, encoded: Sequence[Encoded], adaptation: Adaptation, *, seed: int
) -> tuple[float, ...]:
    """The mean token NLL (nats) of every shot's answer after a few steps on the other folds, in the order given.

    The folds and the order of the batches follow from the seed and the shots alone, so adapters can be compared shot by
    shot; equal arguments give equal numbers on one machine. NaN stands wherever the steps led to what is no number.

    Args:
        model: the base, loaded; as it was when this returns.
        factors: the adapter; it fits the base.
        encoded: the K shots, at least 2.
        adaptation: how many steps of which size.
        seed: of the folds and the order.

    Raises:
        HubExpertError: there is only one shot.
    """
    if len(encoded) < 2:
        raise HubExpertError(
            "Adapted perplexity needs two shots at least.", fix="add shots, or take `adapted` out of `experts.rank`"
        )
    begins = shared(model, encoded)
    nlls = [math.nan] * len(encoded)
    for fold in folds(len(encoded), adaptation.folds, seed=seed):
        others = [e for i, e in enumerate(encoded) if i not in fold]
        trained = adapt(model, factors, others, adaptation, begins=begins, seed=seed)
        with torch.inference_mode(), applied(model.model, trained):
            held_out = [encoded[i] for i in fold]
            for part in _within_budget(held_out, begins):
                sums = _answer_nlls(model, [held_out[i] for i in part], begins)
                for i, total in zip(part, sums.tolist(), strict=True):
                    nlls[fold[i]] = total / len(held_out[i].answer)
    return tuple(nlls)


def folds(count: int, wanted: int, *, seed: int) -> list[list[int]]:
    """The indices 0 to count - 1 dealt at random into `wanted` folds, as even as can be; never more than `count`."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    number = min(wanted, count)
    return [sorted(order[start::number]) for start in range(number)]


def adapt(
    model: Lm, factors: Factors, encoded: Sequence[Encoded], adaptation: Adaptation, *, begins: int, seed: int
) -> Factors:
    """The adapter after some epochs on the answers of `encoded` (AdamW, A and B alone, the base frozen).

    Examples of similar length stand in one batch; the order of the batches is drawn anew every epoch.

    Args:
        model: the base; as it was when this returns.
        factors: where it starts; unchanged.
        encoded: the examples.
        adaptation: epochs, learning rate, batch size, largest rank.
        begins: how many tokens all prompts share, as `prefix.shared` says.
        seed: of the order.
    """
    trained = start(model.model, factors, adaptation.max_rank)
    parameters = [*trained.a.values(), *trained.b.values()]
    optimizer = torch.optim.AdamW(parameters, lr=adaptation.learning_rate, weight_decay=WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(seed)
    order = sorted(range(len(encoded)), key=lambda i: (len(encoded[i].prompt) + len(encoded[i].answer), i))
    cut = [order[i : i + adaptation.batch_size] for i in range(0, len(order), adaptation.batch_size)]
    with _frozen(model.model), applied(model.model, trained):
        for _ in range(adaptation.epochs):
            for chosen in torch.randperm(len(cut), generator=generator).tolist():
                _step(model, [encoded[i] for i in cut[chosen]], begins, optimizer)
    for parameter in parameters:
        parameter.requires_grad_(False).grad = None
    return trained


def start(model: nn.Module, factors: Factors, max_rank: int) -> Factors:
    """The same ΔW as new tensors on the base's devices, asking for gradients, in a form that depends on ΔW alone.

    BA = (BR)(R⁻¹A), and what a step does to the product depends on R: on the scaling, and on how the adapter was
    trained. So every adapter starts from the singular value decomposition BA = U S Vᵀ with the `max_rank` largest
    singular values: A = cVᵀ, whose rows are as long as those of a fresh LoRA (PEFT's: uniform in ±1/√in, so c = 1/√3),
    and B = US/c.
    """
    modules = dict(model.named_modules())
    new_a, new_b = {}, {}
    for module, a in factors.a.items():
        u, s, v = thin_svd(a, factors.b[module])
        device = modules[module].weight.device
        new_a[module] = (ROW * v[:, :max_rank].T).float().contiguous().to(device).requires_grad_()
        new_b[module] = (u * (s / ROW))[:, :max_rank].float().contiguous().to(device).requires_grad_()
    return Factors(new_a, new_b)


def fresh(model: nn.Module, suffixes: Sequence[str], rank: int, *, seed: int) -> Factors:
    """The reference: a LoRA that knows nothing, on every linear layer whose name ends in one of the suffixes.

    A as PEFT draws it (Kaiming uniform), B zero.
    """
    generator = torch.Generator().manual_seed(seed)
    a, b = {}, {}
    for name, layer in model.named_modules():
        if name.rsplit(".", 1)[-1] in suffixes and hasattr(layer, "in_features"):
            drawn = torch.rand(rank, layer.in_features, generator=generator) * 2 - 1
            a[name], b[name] = drawn / layer.in_features**0.5, torch.zeros(layer.out_features, rank)
    return Factors(a, b)


def _step(model: Lm, batch: Sequence[Encoded], begins: int, optimizer: torch.optim.Optimizer) -> None:
    """One step on the mean NLL of all answer tokens of the batch, in as many parts as memory asks for."""
    tokens = sum(len(e.answer) for e in batch)
    optimizer.zero_grad()
    for part in _within_budget(batch, begins):
        (_answer_nlls(model, [batch[i] for i in part], begins).sum() / tokens).backward()
    optimizer.step()


def _within_budget(encoded: Sequence[Encoded], begins: int) -> Iterator[list[int]]:
    return batches([len(e.prompt) + len(e.answer) - begins for e in encoded])


def _answer_nlls(model: Lm, encoded: Sequence[Encoded], begins: int) -> torch.Tensor:
    """The summed NLL of every answer's tokens, [examples]."""
    rows = [(*e.prompt, *e.answer) for e in encoded]
    longest = max(len(e.answer) for e in encoded)
    gold = lm.left_padded([e.answer for e in encoded], IGNORED, model.device)["input_ids"]  # [examples, longest]
    logits = last_logits(model, rows, longest + 1, begins)[:, :-1].float()  # position t predicts token t+1
    return nn.functional.cross_entropy(logits.mT, gold, ignore_index=IGNORED, reduction="none").sum(1)


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Within the block no parameter of the base asks for gradients."""
    asked = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in asked:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in asked:
            parameter.requires_grad_(True)
