"""Training on examples, with `transformers.Trainer`: a mixture's routers and experts together, or a plain LoRA."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import TrainingArguments, get_cosine_schedule_with_warmup
from transformers.trainer_callback import PrinterCallback

from hubexpert.lm import Encoded, Lm
from hubexpert.moe.adapter import gated_layers
from hubexpert.reading.prefix import shared
from hubexpert.recipe import TrainSection
from hubexpert.train.batch import collate, fitted, portion
from hubexpert.train.callbacks import AfterEpoch, MarkWhole, Progress, last_whole
from hubexpert.train.trainer import AnswersTrainer

WEIGHT_DECAY = 1e-4


def trainable(model: PeftModel, parts: Sequence[str]) -> None:
    """Let only the named parts learn: `router` (all gates), `experts` (every rank column, the shared expert's too)."""
    model.requires_grad_(False)
    for a, b in gated_layers(model).values():
        a.router.requires_grad_("router" in parts)
        a.weight.requires_grad_("experts" in parts)
        b.weight.requires_grad_("experts" in parts)


def train(
    model: Lm,
    encoded: Sequence[Encoded],
    section: TrainSection,
    checkpoints: Path | None,
    *,
    seed: int,
    label: str,
    learning_rate: float | None = None,
    stop: int | None = None,
    after_epoch: Callable[[], None] | None = None,
    after_step: Callable[[], None] | None = None,
    quiet: bool = False,
) -> tuple[float, ...]:
    """Train on the answers' tokens (AdamW, weight decay 1e-4, cosine with linear warm-up: Open Knowledge, 4.1).

    The loss is Σ weight · NLL of the answers' tokens over their number, in the batch: weights of mean 1 leave its size.
    Under `accelerate` or `torchrun` the processes share every batch: each takes some of its rows, the loss is the mean
    over the tokens of all, and they end with equal weights, those of one process up to rounding.

    Args:
        model: what to train: those of its parameters that require gradients; changed in place.
        encoded: the examples; prompts are not learned.
        section: epochs, batch size, longest sequence and so on.
        checkpoints: a folder of this run alone; a run killed on the way goes on from its last epoch; the caller removes
            it when the result is safe. None keeps nothing.
        seed: of the order of the examples, and of what is dropped.
        label: what the progress calls it.
        learning_rate: by default the section's first.
        stop: after how many epochs of the schedule to stop; by default all.
        after_epoch: called after every epoch, with the model in evaluation mode.
        after_step: called after every step, at the start once for each that had been done before a kill.
        quiet: no progress.

    Returns:
        The mean training loss of each epoch (empty for no epochs).
    """
    epochs = section.epochs if stop is None else min(stop, section.epochs)
    if epochs == 0:
        return ()
    rate = section.learning_rate[0] if learning_rate is None else learning_rate
    longest = min(section.max_length, model.context)
    rows = [fitted(example, longest) for example in encoded]
    arguments = _arguments(section, epochs, checkpoints, seed)
    steps = steps_an_epoch(len(rows), section)
    optimizer = _optimizer(model.model, rate, section.router_rate)
    whole = section.epochs * steps
    schedule = get_cosine_schedule_with_warmup(optimizer, whole // 10, whole)
    logging.getLogger("transformers.trainer").setLevel(logging.ERROR)
    begins = _shareable(model, rows, section, arguments)
    trainer = AnswersTrainer(
        model=model.model,
        args=arguments,
        train_dataset=[{"example": row} for row in rows],
        data_collator=lambda batch: collate(
            portion([row["example"] for row in batch], arguments.process_index, arguments.world_size),
            model.tokenizer.pad_token_id,
            begins,
        ),
        callbacks=[Progress(label, epochs * steps, after_step, quiet), MarkWhole(), AfterEpoch(after_epoch)],
        optimizers=(optimizer, schedule),
    )
    trainer.balance = section.balance
    trainer.remove_callback(PrinterCallback)  # it prints logs to stdout, where data goes
    for gate, _ in gated_layers(model.model).values():
        gate.dropout = section.dropout
    if arguments.process_index:  # each process drops other experts; the order of the examples has a seed of its own
        torch.manual_seed(seed + arguments.process_index)
    with arguments.main_process_first(local=False):
        last = last_whole(checkpoints) if checkpoints else None
    trainer.train(resume_from_checkpoint=last)
    losses = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
    model.model.eval()
    return losses


def steps_an_epoch(examples: int, section: TrainSection) -> int:
    """How many steps an epoch over so many examples has; the last may have fewer examples."""
    return -(-examples // section.batch_size)


def _arguments(section: TrainSection, epochs: int, checkpoints: Path | None, seed: int) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(checkpoints or "."),  # nothing is written there without `checkpoints`; None would make a folder
        num_train_epochs=epochs,
        per_device_train_batch_size=section.batch_size,
        **({"activation_checkpointing": True} if section.gradient_checkpointing else {}),
        logging_strategy="epoch",
        save_strategy="epoch" if checkpoints else "no",
        save_total_limit=2,  # while one is being written the other is whole
        report_to=[],
        disable_tqdm=True,
        seed=seed,
        data_seed=seed,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        label_names=["labels"],
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # one process, one device: no `DataParallel`, which multiplies batches
    return arguments


def _optimizer(model: PeftModel, rate: float, router_rate: float) -> torch.optim.AdamW:
    """AdamW with the routers' learning rate apart."""
    routers = {id(gate.router) for gate, _ in gated_layers(model).values()}
    learning = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learning if id(p) not in routers], "lr": rate},
        {"params": [p for p in learning if id(p) in routers], "lr": rate * router_rate},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], weight_decay=WEIGHT_DECAY)


def _shareable(model: Lm, rows: Sequence[Encoded], section: TrainSection, arguments: TrainingArguments) -> int:
    """How many tokens of all prompts are computed once a step: none where each sequence is treated differently."""
    apart = section.gradient_checkpointing or section.balance or section.dropout or arguments.world_size > 1
    return 0 if apart else shared(model, rows)
