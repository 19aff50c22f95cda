"""Build: the chosen experts side by side in one wide LoRA, routed, trained on the shots, folded and saved."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

from peft import PeftModel

from hubexpert import __version__, lm
from hubexpert.examine import expanded
from hubexpert.experts.load import adapter_factors
from hubexpert.lm import Encoded, Lm
from hubexpert.moe.adapter import attach, save
from hubexpert.moe.widen import linears, widen
from hubexpert.recipe import TrainSection
from hubexpert.records import Build, Example, ExpertRecord, Source
from hubexpert.train import fold_means, mean_gates, train, trainable
from hubexpert.workspace import file_digest

FRESH_RANK = 16
PACKAGES = ("huggingface-hub", "peft", "safetensors", "torch", "transformers")


def encode_all(model: Lm, examples: Sequence[Example]) -> list[Encoded]:
    """The examples as the model learns them: the gold output, then its rationale where there is one."""
    return [lm.encode(model.tokenizer, example, expanded(example)) for example in examples]


def build_mixture(
    model: Lm,
    base: Source,
    experts: Sequence[Source],
    examples: Sequence[Example],
    section: TrainSection,
    folder: Path,
    checkpoints: Path,
    *,
    seed: int,
    quiet: bool = False,
) -> Build:
    """Assemble, train, fold and save the mixture into `folder`; the base is left as it was.

    Args:
        model: the base, loaded.
        base: where it comes from; the adapter names it.
        experts: the chosen adapters, in order.
        examples: what to train on.
        section: the training settings.
        folder: where the published files go.
        checkpoints: a folder of this build alone; a killed build goes on from there.
        seed: of routers, the shared expert and the order of examples.
        quiet: no progress.
    """
    factors = [adapter_factors(source, lambda: model.model) for source in experts]
    layers = linears(model.model, {suffix for f in factors for suffix in f.suffixes})
    wide = widen(factors, layers, shared_rank=section.shared_rank, seed=seed)
    mixture = attach(model.model, wide, top_k=section.top_k, seed=seed)
    try:
        trainable(mixture, section.train)
        encoded = encode_all(model, examples)
        pad = model.tokenizer.pad_token_id
        losses = train(
            mixture, encoded, section, checkpoints, pad=pad, seed=seed, label="training the mixture", quiet=quiet
        )
        means = mean_gates(Lm(mixture.eval(), model.tokenizer), encoded)
        fold_means(mixture, means)
        uses_pattern = save(mixture, folder, base=base.repo, experts=experts)
    finally:
        mixture.unload()
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
        shared_rank=section.shared_rank,
        rank=wide.rank,
        uses_rank_pattern=uses_pattern,
        top_k=min(section.top_k, len(experts)),
        shares=shares,
        losses=losses,
        examples=len(examples),
        files={path.name: file_digest(path) for path in sorted(folder.iterdir())},
        packages={"hubexpert": __version__, **{name: version(name) for name in PACKAGES}},
    )


def fresh_lora(
    model: Lm,
    modules: Sequence[str],
    examples: Sequence[Example],
    section: TrainSection,
    checkpoints: Path,
    *,
    seed: int,
    quiet: bool = False,
) -> PeftModel:
    """A new LoRA trained on the same examples with the same settings: the mixture with no experts in it.

    Its rank is the shared expert's, or 16 where the mixture has none; its modules are the mixture's.
    """
    layers = linears(model.model, {module.rsplit(".", 1)[-1] for module in modules})
    wide = widen([], layers, shared_rank=section.shared_rank or FRESH_RANK, seed=seed)
    lora = attach(model.model, wide, top_k=1, seed=seed)
    pad = model.tokenizer.pad_token_id
    train(
        lora,
        encode_all(model, examples),
        section,
        checkpoints,
        pad=pad,
        seed=seed,
        label="training a fresh LoRA",
        quiet=quiet,
    )
    return lora.eval()
