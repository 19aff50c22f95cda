"""X-LoRA (arXiv 2402.07148): the same experts, frozen, behind a trained router that reads the base's last layer."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import XLoraConfig, get_peft_model

from hubexpert.baselines.padded import write_padded
from hubexpert.factors import Factors
from hubexpert.lm import Lm
from hubexpert.recipe import TrainSection
from hubexpert.records import Example
from hubexpert.train import train
from hubexpert.trained import encode_all


@contextmanager
def x_lora(
    model: Lm,
    experts: Sequence[Factors],
    examples: Sequence[Example],
    section: TrainSection,
    *,
    seed: int,
    quiet: bool = False,
) -> Iterator[Lm]:
    """Within the block the base behind a router trained on the examples; afterwards the base as it was.

    A linear map of the base's last hidden state gives each token a softmax over the experts for every module. This is
    PEFT's own implementation. It reads each text twice, without the experts for the router and then with them, and
    its first pass would spoil keys and values that were kept: so it is read plainly, about 9 times as slowly as the
    base, and 20 times as slowly when it generates. A training that was killed begins anew.

    Args:
        model: the base.
        experts: their factors; they are not trained.
        examples: what the router is trained on.
        section: the training settings.
        seed: of the router and of the order of the examples.
        quiet: no progress.
    """
    caches, config = model.model.config.use_cache, model.model.config
    with tempfile.TemporaryDirectory(prefix="hubexpert-x-lora-") as temporary:
        folders = write_padded(model.model, experts, Path(temporary))
        config.use_cache = False  # PEFT demands it
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            routed = get_peft_model(model.model, _config(config.get_text_config().hidden_size, folders))
        try:
            form, label = Lm(routed, model.tokenizer, caches=False), "training X-LoRA's router"
            train(form, encode_all(model, examples), section, None, seed=seed, label=label, quiet=quiet)
            yield Lm(routed.eval(), model.tokenizer, caches=False)
        finally:
            routed.unload()
            config.use_cache = caches


def _config(hidden_size: int, folders: Sequence[str]) -> XLoraConfig:
    """The adapters are called 0, 1, 2, ...: under other names PEFT loads them and leaves them out of every pass."""
    adapters = {str(place): folder for place, folder in enumerate(folders)}
    return XLoraConfig(task_type="CAUSAL_LM", hidden_size=hidden_size, adapters=adapters, layerwise_scalings=True)
