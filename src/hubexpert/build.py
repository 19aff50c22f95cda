"""Build: the chosen experts side by side in one wide LoRA, routed, trained on the shots, folded and saved."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

from hubexpert import __version__
from hubexpert.errors import HubExpertError
from hubexpert.experts.load import adapter_factors
from hubexpert.lm import Lm
from hubexpert.moe.adapter import gated_layers, save
from hubexpert.moe.listen import fold_means, mean_gates
from hubexpert.records import Beacons, Build, ExpertRecord, Source
from hubexpert.trained import Lesson, encode_lesson, mixture_start, trained
from hubexpert.workspace import digests

SLOWER = "lower `train.learning_rate`, or name several with `train.folds: 2`, of which the best is taken"
PACKAGES = ("huggingface-hub", "peft", "safetensors", "torch", "transformers")


def build_mixture(
    model: Lm,
    base: Source,
    experts: Sequence[Source],
    lesson: Lesson,
    folder: Path,
    *,
    beacons: Callable[[Lm], Beacons] | None = None,
) -> Build:
    """Assemble, tune, train, fold and save the mixture into `folder`; the base is left as it was.

    Args:
        model: the base, loaded.
        base: where it comes from; the adapter names it.
        experts: the chosen adapters, in order.
        lesson: what it learns from and how; a killed build goes on from its checkpoints.
        folder: where the published files go.
        beacons: asks the trained mixture how far its answers are from the gold ones.

    Raises:
        HubExpertError: the training diverged.
    """
    factors = [adapter_factors(source, lambda: model.model) for source in experts]
    start = mixture_start(model, factors, lesson)
    key = ["mixture", [(e.repo, e.revision) for e in experts]]
    with trained(model, start, lesson, "the mixture", key) as made:
        layers = gated_layers(made.model.model).values()
        if not all(bool(w.isfinite().all()) for gate, b in layers for w in (gate.weight, gate.router, b.weight)):
            raise HubExpertError("The training diverged: it ended with weights that are no numbers.", fix=SLOWER)
        means = mean_gates(made.model, encode_lesson(model, lesson))
        told = beacons(made.model) if beacons else None
        fold_means(made.model.model, means)
        uses_pattern = save(made.model.model, folder, base=base.repo, experts=experts)
        tuning, losses = made.tuning, made.losses
    shares = {module: tuple(round(float(x), 6) for x in mean) for module, mean in means.items()}
    return Build(
        experts=tuple(
            ExpertRecord(
                source=source,
                rank=factors[i].rank,
                target_modules=factors[i].suffixes,
                share=round(fmean(share[i] for share in shares.values()), 6),
                conversion_error=None if (lost := factors[i].conversion_error) is None else round(lost, 6),
            )
            for i, source in enumerate(experts)
        ),
        shared_rank=lesson.section.shared_rank,
        rank=start.wide.rank,
        uses_rank_pattern=uses_pattern,
        top_k=min(lesson.section.top_k, len(experts)),
        shares=shares,
        tuning=tuning,
        losses=losses,
        examples=len(lesson.examples),
        beacons=told,
        files=digests(folder),
        packages={"hubexpert": __version__, **{name: version(name) for name in PACKAGES}},
    )
