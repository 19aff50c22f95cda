"""The training of a reranker: a plain loop, which goes on from its last epoch when it was killed."""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hubexpert.progress import track
from hubexpert.recipe import KardSection
from hubexpert.records import RerankerRecord
from hubexpert.reranker.candidates import Pool
from hubexpert.reranker.models import Reranker
from hubexpert.reranker.watch import BATCH, Texts, divergences, watch

WARM_UP = 0.1  # share of the steps in which the learning rate rises
LEAST, HELD_OUT, MOST = 10, 0.1, 200  # questions from which some are held out, which share, and at most how many
CHECKPOINT = "epoch.pt"


def train(
    reranker: Reranker,
    pools: Sequence[Pool],
    texts: Texts,
    section: KardSection,
    checkpoints: Path,
    *,
    seed: int,
    quiet: bool = False,
) -> RerankerRecord:
    """Train the reranker in place to minimise KL(P‖Q); says what came of it.

    AdamW with a linear warm-up and a cosine. The weights are then drawn back towards those at the start, which keeps
    much of what was learned and more of what was known (WiSE-FT, arXiv 2109.01903, equation 1).

    A tenth of the questions is not learned from but watches: where their divergence has not fallen, or the first
    passages of what they find do not carry more of what the rationale wants than at the start, the weights are again
    those it started with.

    Args:
        reranker: at its start.
        pools: the candidates of the questions; those of one question's rationales all learn, or all watch.
        texts: of places of passages, their texts.
        section: candidates of a step, temperatures, how far the start counts, epochs, learning rate and way.
        checkpoints: a folder of this training alone; killed on the way, it goes on from its last epoch.
        seed: of what is held out, the order, the candidates drawn and dropout.
        quiet: no progress.
    """
    watching, learning = _parted(pools, seed)
    if not learning:
        return RerankerRecord(kind=reranker.kind, start=reranker.start)
    held_out, learned_from = list(chain(*watching)), list(chain(*learning))
    first = replace(reranker, model=copy.deepcopy(reranker.model))
    before = watch(reranker, first, held_out, texts, section, seed)
    losses = _epochs(reranker, first, learned_from, texts, section, checkpoints, seed, quiet)
    _go(reranker.model, first.model, section.way)
    after = watch(reranker, first, held_out, texts, section, seed)
    learned = all(map(math.isfinite, losses)) and after.better_than(before)
    if not learned:
        reranker.model.load_state_dict(first.model.state_dict())
    return RerankerRecord(
        kind=reranker.kind,
        start=reranker.start,
        questions=len(learning),
        held_out=len(watching),
        before=before.divergence,
        after=after.divergence,
        carried_before=before.carried,
        carried_after=after.carried,
        losses=losses,
        learned=learned,
    )


def _parted(pools: Sequence[Pool], seed: int) -> tuple[list[list[Pool]], list[list[Pool]]]:
    """The pools of each question that is held out, where there are enough, and of each that is learned from."""
    by_question: dict[str, list[Pool]] = {}
    for pool in pools:
        by_question.setdefault(pool.question, []).append(pool)
    told = list(by_question.values())
    shuffled = [told[at] for at in np.random.default_rng([seed, 0]).permutation(len(told))]
    watching = min(MOST, max(1, int(len(told) * HELD_OUT))) if len(told) >= LEAST else 0
    return shuffled[:watching], shuffled[watching:]


def _epochs(
    reranker: Reranker,
    first: Reranker,
    pools: Sequence[Pool],
    texts: Texts,
    section: KardSection,
    checkpoints: Path,
    seed: int,
    quiet: bool,
) -> tuple[float, ...]:
    """The mean loss of each epoch; the model has learned, and is in evaluation mode."""
    model, steps = reranker.model, math.ceil(len(pools) / BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=section.learning_rate)
    losses = _resume(checkpoints, model, optimizer)
    bar = track(range(len(losses) * steps, section.epochs * steps), "training the reranker", quiet=quiet)
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        for step in bar:
            epoch, at = divmod(step, steps)
            if at == 0:
                torch.manual_seed(seed + epoch)
                turn = np.random.default_rng([seed, 2, epoch]).permutation(len(pools))
                total = 0.0
                model.train()
            batch = [pools[place] for place in turn[at * BATCH : (at + 1) * BATCH]]
            for group in optimizer.param_groups:
                group["lr"] = section.learning_rate * pace(step, section.epochs * steps)
            loss = divergences(reranker, first, batch, texts, section, [seed, 3, step])
            optimizer.zero_grad()
            loss.mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += float(loss.detach().sum())
            if at == steps - 1:
                losses = (*losses, total / len(pools))
                _keep(checkpoints, model, optimizer, losses)
    model.eval()
    return losses


def _go(model: Any, first: Any, way: float) -> None:
    """Leave the model on the line from the weights it started with to those it has, `way` of it from the start."""
    weights = model.state_dict()
    for name, at_first in first.state_dict().items():
        if weights[name].is_floating_point():
            weights[name] = torch.lerp(at_first, weights[name], way)
    model.load_state_dict(weights)


def pace(step: int, steps: int) -> float:
    """The learning rate of a step as a share of the highest: rises in a line, then falls as a cosine."""
    warm = max(1, round(steps * WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _keep(checkpoints: Path, model: Any, optimizer: Any, losses: tuple[float, ...]) -> None:
    """Write the state after an epoch, so that the file is whole or the one before."""
    checkpoints.mkdir(parents=True, exist_ok=True)
    partial = checkpoints / f"{CHECKPOINT}.part"
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "losses": list(losses)}, partial)
    partial.replace(checkpoints / CHECKPOINT)


def _resume(checkpoints: Path, model: Any, optimizer: Any) -> tuple[float, ...]:
    """Take up the state after the last whole epoch; the losses of the epochs until then."""
    if not (checkpoints / CHECKPOINT).is_file():
        return ()
    state = torch.load(checkpoints / CHECKPOINT, map_location=model.device, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return tuple(state["losses"])
