"""Where routers start: at random, from the experts' weights, or from the shots that each expert solves best."""

from collections.abc import Sequence

import torch

from hubexpert.factors import Factors
from hubexpert.lm import Encoded, Lm
from hubexpert.moe.listen import listening, passes
from hubexpert.moe.widen import Wide
from hubexpert.reading import read
from hubexpert.recipe import Initial
from hubexpert.slots import applied

LENGTH = 3**-0.5  # of a row that is drawn from ±1/√in


def routers(
    model: Lm,
    experts: Sequence[Factors],
    wide: Wide,
    encoded: Sequence[Encoded],
    initial: Initial,
    *,
    seed: int,
) -> dict[str, torch.Tensor]:
    """Module -> the router it starts with, [experts, in].

    - `random`: as `nn.Linear` does (uniform in ±1/√in), as in Open Knowledge's code;
    - `prototypes`: the direction of the input that an expert amplifies most, the first right singular vector of its BA
      (Arrow, arXiv 2405.11157), with the sign that the mean input of the examples has;
    - `shots`: the mean input of the examples that the expert explains best of all (by NLL), less that of all examples.

    Rows are as long as random ones are on average, so that all start equally undecided; where there is nothing to say
    (a module that the expert lacks, no example it explains best) they are zero.

    Args:
        model: the base.
        experts: their factors.
        wide: the mixture they are for.
        encoded: the shots.
        initial: which.
        seed: of the random ones.
    """
    if initial == "random":
        return random_routers(wide, seed=seed)
    means = mean_inputs(model, list(wide.a), encoded)
    if initial == "prototypes":
        return {m: _stacked([_prototype(e, m, mean.mean(0)) for e in experts]) for m, mean in means.items()}
    best = best_experts(model, experts, encoded)
    return {
        m: _stacked([_centre(mean, [b == e for b in best]) for e in range(len(experts))]) for m, mean in means.items()
    }


def random_routers(wide: Wide, *, seed: int) -> dict[str, torch.Tensor]:
    """Module -> a router drawn as `nn.Linear` draws its weights, [experts, in]."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {module: (wide.experts, a.shape[1]) for module, a in wide.a.items()}
    return {module: (torch.rand(s, generator=generator) * 2 - 1) / s[1] ** 0.5 for module, s in shapes.items()}


@torch.inference_mode()
def mean_inputs(model: Lm, modules: Sequence[str], encoded: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    """Module -> the mean over an example's tokens of its input, [examples, in], in float32 on the CPU."""
    wanted = set(modules)
    found = {name: module for name, module in model.model.named_modules() if name in wanted}
    means: dict[str, torch.Tensor] = {}
    batch: list[int] = []
    mask = torch.empty(0)

    def hear(module: str, x: torch.Tensor) -> None:
        weights = mask[..., None] / mask.sum(1)[:, None, None]
        means.setdefault(module, torch.zeros(len(encoded), x.shape[-1]))[batch] = (x.float() * weights).sum(1).cpu()

    with listening(found, hear):
        for some, seen in passes(model, encoded):
            batch, mask = some, seen
    return means


def best_experts(model: Lm, experts: Sequence[Factors], encoded: Sequence[Encoded]) -> list[int]:
    """For every example the expert under which its answer has the least NLL; of equals the first."""
    nlls = []
    for expert in experts:
        with applied(model.model, expert):
            nlls.append([reading.nll for reading in read(model, encoded, max_new_tokens=0)[0]])
    return [min(range(len(experts)), key=lambda e: nlls[e][i]) for i in range(len(encoded))]


def _prototype(expert: Factors, module: str, mean: torch.Tensor) -> torch.Tensor:
    """The first right singular vector of BA, from the thin factors: A = RᵀQᵀ, BA = (BRᵀ)Qᵀ."""
    if module not in expert.a:
        return torch.zeros_like(mean)
    basis, rest = torch.linalg.qr(expert.a[module].float().T)
    vector = basis @ torch.linalg.svd(expert.b[module].float() @ rest.T, full_matrices=False).Vh[0]
    return vector if vector @ mean >= 0 else -vector


def _centre(means: torch.Tensor, chosen: Sequence[bool]) -> torch.Tensor:
    picked = means[torch.tensor(chosen)]
    return picked.mean(0) - means.mean(0) if len(picked) else torch.zeros_like(means[0])


def _stacked(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    return LENGTH * torch.nn.functional.normalize(torch.stack(list(rows)), dim=-1)
