"""Training on examples, with `transformers.Trainer`: a mixture's routers and experts together, or a plain LoRA."""

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import prepare_data_loader
from peft import PeftModel
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, RandomSampler
from transformers import Trainer, TrainerCallback, TrainingArguments, get_cosine_schedule_with_warmup
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from hubexpert.lm import Encoded, Lm, left_padded
from hubexpert.moe.adapter import gated_layers
from hubexpert.moe.listen import imbalance, listening
from hubexpert.progress import track
from hubexpert.reading.prefix import shared
from hubexpert.recipe import TrainSection

IGNORED = -100
WEIGHT_DECAY = 1e-4
WHOLE = "whole"  # a file in a checkpoint, written last


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
    trainer = _Trainer(
        model=model.model,
        args=arguments,
        train_dataset=[{"example": row} for row in rows],
        data_collator=lambda batch: collate(
            portion([row["example"] for row in batch], arguments.process_index, arguments.world_size),
            model.tokenizer.pad_token_id,
            begins,
        ),
        callbacks=[_Progress(label, epochs * steps, after_step, quiet), _MarkWhole(), _AfterEpoch(after_epoch)],
        optimizers=(optimizer, schedule),
    )
    trainer.balance = section.balance
    trainer.remove_callback(PrinterCallback)  # it prints logs to stdout, where data goes
    for gate, _ in gated_layers(model.model).values():
        gate.dropout = section.dropout
    if arguments.process_index:  # each process drops other experts; the order of the examples has a seed of its own
        torch.manual_seed(seed + arguments.process_index)
    with arguments.main_process_first(local=False):
        last = _last_whole(checkpoints) if checkpoints else None
    trainer.train(resume_from_checkpoint=last)
    losses = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
    model.model.eval()
    return losses


def steps_an_epoch(examples: int, section: TrainSection) -> int:
    """How many steps an epoch over so many examples has; the last may have fewer examples."""
    return -(-examples // section.batch_size)


def _arguments(section: TrainSection, epochs: int, checkpoints: Path | None, seed: int) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(checkpoints) if checkpoints else None,
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


def fitted(example: Encoded, longest: int) -> Encoded:
    """The example cut to that many tokens: a prompt too long from the left, so that the answer stays."""
    answer = example.answer[: longest - 1]
    return replace(example, prompt=example.prompt[-(longest - len(answer)) :], answer=answer)


def _shareable(model: Lm, rows: Sequence[Encoded], section: TrainSection, arguments: TrainingArguments) -> int:
    """How many tokens of all prompts are computed once a step: none where each sequence is treated differently."""
    apart = section.gradient_checkpointing or section.balance or section.dropout or arguments.world_size > 1
    return 0 if apart else shared(model, rows)


def portion(rows: Sequence[Encoded], process: int, processes: int) -> Sequence[Encoded]:
    """The rows of a batch that one of the processes computes; where there are too few, a prompt without an answer."""
    return rows[process::processes] or [Encoded(rows[0].prompt, ())]


def collate(rows: Sequence[Encoded], pad: int, begins: int = 0) -> dict[str, Any]:
    """A batch, padded on the left as everywhere.

    Logits are needed of the answers alone, so `labels` are [batch, longest answer + 1], and `logits_to_keep` says so.
    The first `begins` tokens, which all rows share, stand apart as `beginning` [1, begins]. `weights` are [batch].
    """
    batch: dict[str, Any] = dict(
        left_padded([(*row.prompt[begins:], *row.answer) for row in rows], pad, torch.device("cpu"))
    )
    answers = left_padded([(IGNORED, *row.answer) for row in rows], IGNORED, torch.device("cpu"))["input_ids"]
    batch["labels"] = answers[:, -batch["input_ids"].shape[1] :]
    batch["logits_to_keep"] = batch["labels"].shape[1]
    batch["weights"] = torch.tensor([row.weight for row in rows])
    if begins:
        batch["beginning"] = torch.tensor([rows[0].prompt[:begins]])
        batch["position_ids"] = batch["position_ids"] + begins
        mask = batch["attention_mask"]
        batch["attention_mask"] = torch.cat([mask.new_ones(len(rows), begins), mask], dim=1)
    return batch


def answers_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int, weights: torch.Tensor
) -> torch.Tensor:
    """The NLL of the answers' tokens, each row's multiplied by its weight, over their number in the whole batch.

    Args:
        outputs: with `logits` [batch, kept, vocabulary].
        labels: [batch, kept]; each is predicted at the place before it.
        num_items_in_batch: tokens that have a label, over all processes.
        weights: [batch].
    """
    predicted = outputs["logits"][:, :-1].float().transpose(1, 2)
    losses = cross_entropy(predicted, labels[:, 1:], reduction="none", ignore_index=IGNORED)
    return (losses.sum(1) * weights.to(losses)).sum() / num_items_in_batch


class _Trainer(Trainer):
    """The loss of the answers' tokens, and the balance of the routers' load where it has a weight."""

    balance = 0.0

    def get_train_dataloader(self) -> Any:
        """The batches as one process has them, whole, for every process.

        What accelerate deals out would be other batches where their size is no multiple of the number of processes, and
        the last one would be filled up with examples that had their turn.
        """
        if self.args.world_size == 1:
            return super().get_train_dataloader()
        rows = self.train_dataset
        batches = DataLoader(
            rows,
            batch_size=self.args.per_device_train_batch_size,
            sampler=RandomSampler(rows),
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return prepare_data_loader(
            batches,
            self.args.device,
            num_processes=1,
            process_index=0,
            put_on_device=True,
            use_seedable_sampler=True,
            data_seed=self.args.data_seed,
        )

    def training_step(self, model: Any, inputs: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        """One step; the gates are heard until the backward's end, as gradient checkpointing computes there again."""
        gates = {name: gate for name, (gate, _) in gated_layers(self.model).items()} if self.balance else {}
        self.terms: list[torch.Tensor] = []
        counts: dict[str, torch.Tensor] = {}  # what is computed again is not counted again
        mask = inputs["attention_mask"] * (inputs["labels"] != IGNORED).any(1)[:, None] if gates else None

        def hear(name: str, x: torch.Tensor) -> None:
            def total(counted: torch.Tensor) -> torch.Tensor:
                if name not in counts:
                    counts[name] = self.accelerator.reduce(counted, reduction="sum")
                return counts[name]

            self.terms.append(imbalance(gates[name], x, mask, total))

        with listening(dict(gates), hear):
            return super().training_step(model, inputs, *arguments, **named)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        beginning, weights = inputs.pop("beginning", None), inputs.pop("weights")
        self.compute_loss_func = partial(answers_loss, weights=weights)
        inputs["use_cache"] = beginning is not None
        if beginning is not None:
            past = model(input_ids=beginning, logits_to_keep=1, use_cache=True).past_key_values
            past.batch_repeat_interleave(len(inputs["labels"]))
            inputs["past_key_values"] = past
        loss = super().compute_loss(model, inputs, *arguments, **named)
        if not self.terms:
            return loss
        # gradients, and the losses that are told, are means over the processes
        return loss + self.args.world_size * self.balance * torch.stack(self.terms).mean()


class _MarkWhole(TrainerCallback):
    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        args.distributed_state.wait_for_everyone()  # each process writes its own part of a checkpoint
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()


class _AfterEpoch(TrainerCallback):
    def __init__(self, call: Callable[[], None] | None) -> None:
        self.call = call

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if self.call is not None:
            model.eval()
            self.call()


def _last_whole(checkpoints: Path) -> str | None:
    """The last checkpoint that was written to its end; others, cut short by a kill, are removed."""
    for folder in checkpoints.glob("checkpoint-*"):
        if not (folder / WHOLE).exists():
            shutil.rmtree(folder)
    return get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None


class _Progress(TrainerCallback):
    def __init__(self, label: str, steps: int, call: Callable[[], None] | None, quiet: bool) -> None:
        self.bar: Iterator[int] = track(range(steps + 1), label, total=steps, quiet=quiet)
        self.call = call

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        next(self.bar)
        for _step in range(state.global_step):
            self.on_step_end(args, state, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        next(self.bar, None)
        if self.call is not None:
            self.call()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        for _step in self.bar:
            pass
