"""Training: the mixture (routers and experts together) on examples, with `transformers.Trainer`."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from hubexpert.lm import Encoded, Lm, batches, left_padded
from hubexpert.moe.adapter import gated_layers
from hubexpert.moe.gate import fold
from hubexpert.progress import track
from hubexpert.recipe import TrainSection

IGNORED = -100
WHOLE = "whole"  # a file in a checkpoint, written last


def trainable(model: PeftModel, parts: Sequence[str]) -> None:
    """Let only the named parts learn: `router` (all gates), `experts` (every rank column, the shared expert's too)."""
    model.requires_grad_(False)
    for a, b in gated_layers(model).values():
        a.router.requires_grad_("router" in parts)
        a.weight.requires_grad_("experts" in parts)
        b.weight.requires_grad_("experts" in parts)


def train(
    model: PeftModel,
    encoded: Sequence[Encoded],
    section: TrainSection,
    checkpoints: Path,
    *,
    pad: int,
    seed: int,
    label: str,
    quiet: bool = False,
) -> tuple[float, ...]:
    """Train on the answers' tokens (AdamW, weight decay 1e-4, cosine with linear warm-up: Open Knowledge, 4.1).

    Args:
        model: what to train: those of its parameters that require gradients; changed in place.
        encoded: the examples; prompts are not learned.
        section: epochs, learning rate, batch size, longest sequence.
        checkpoints: a folder of this run alone; a run killed on the way goes on from its last epoch;
            the caller removes it when the result is safe.
        pad: the padding token.
        seed: of the order of the examples.
        label: what the progress calls it.
        quiet: no progress.

    Returns:
        The mean training loss of each epoch (empty for no epochs).
    """
    if section.epochs == 0:
        return ()
    room = getattr(model.config, "max_position_embeddings", None) or section.max_length
    rows = [_row(example, min(section.max_length, room)) for example in encoded]
    steps = section.epochs * -(-len(rows) // section.batch_size)
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=section.epochs,
        learning_rate=section.learning_rate,
        per_device_train_batch_size=section.batch_size,
        weight_decay=1e-4,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, steps // 10),
        logging_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,  # while one is being written the other is whole
        report_to=[],
        disable_tqdm=True,
        seed=seed,
        data_seed=seed,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        label_names=["labels"],
    )
    logging.getLogger("transformers.trainer").setLevel(logging.ERROR)
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=lambda batch: collate(batch, pad),
        callbacks=[_Progress(label, steps, quiet), _MarkWhole()],
    )
    trainer.remove_callback(PrinterCallback)  # it prints logs to stdout, where data goes
    last = _last_whole(checkpoints)
    model.config.use_cache = False
    trainer.train(resume_from_checkpoint=last)
    model.config.use_cache = True
    losses = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
    model.eval()
    return losses


def _row(example: Encoded, longest: int) -> dict[str, list[int]]:
    """Token ids and labels; a prompt too long is cut from the left, so that the answer stays."""
    answer = example.answer[: longest - 1]
    prompt = example.prompt[-(longest - len(answer)) :]
    return {"input_ids": [*prompt, *answer], "labels": [*([IGNORED] * len(prompt)), *answer]}


def collate(rows: Sequence[dict[str, list[int]]], pad: int) -> dict[str, torch.Tensor]:
    """A batch, padded on the left as everywhere: ids, mask, positions and labels, each [batch, longest]."""
    batch = left_padded([row["input_ids"] for row in rows], pad, torch.device("cpu"))
    labels = left_padded([row["labels"] for row in rows], IGNORED, torch.device("cpu"))["input_ids"]
    return {**batch, "labels": labels}


class _MarkWhole(TrainerCallback):
    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()


def _last_whole(checkpoints: Path) -> str | None:
    """The last checkpoint that was written to its end; others, cut short by a kill, are removed."""
    for folder in checkpoints.glob("checkpoint-*"):
        if not (folder / WHOLE).exists():
            shutil.rmtree(folder)
    return get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None


class _Progress(TrainerCallback):
    def __init__(self, label: str, steps: int, quiet: bool) -> None:
        self.bar: Iterator[int] = track(range(steps + 1), label, total=steps, quiet=quiet)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        for _step in range(state.global_step + 1):
            next(self.bar)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        next(self.bar, None)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        for _step in self.bar:
            pass


@torch.inference_mode()
def mean_gates(model: Lm, encoded: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    """Module -> the mean gate of every expert [experts] over all tokens of the examples: the routing shares."""
    layers = {module: gate for module, (gate, _) in gated_layers(model.model).items()}
    sums = {module: torch.zeros(gate.router.shape[0]) for module, gate in layers.items()}
    tokens, mask = 0, torch.empty(0)

    def listen(module: str, gate: Any) -> Any:
        def hook(_layer: Any, inputs: tuple[torch.Tensor, ...]) -> None:
            shares = gate.gate(inputs[0])  # [batch, tokens, experts]
            sums[module] += (shares * mask[..., None]).sum((0, 1)).float().cpu()

        return gate.register_forward_pre_hook(hook)

    handles = [listen(module, gate) for module, gate in layers.items()]
    try:
        for batch in batches([len(e.prompt) + len(e.answer) for e in encoded]):
            rows = [(*encoded[i].prompt, *encoded[i].answer)[-model.context :] for i in batch]
            inputs = left_padded(rows, model.tokenizer.pad_token_id, model.device)
            mask = inputs["attention_mask"]
            tokens += int(mask.sum())
            model.model(**inputs, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return {module: total / tokens for module, total in sums.items()}


def fold_means(model: PeftModel, means: dict[str, torch.Tensor]) -> None:
    """Fold the mean gates into every B: the static form becomes the mean mixture, the routed one stays as it is."""
    for module, (gate, b) in gated_layers(model).items():
        fold(gate, b.weight.data, means[module].to(b.weight.device))
