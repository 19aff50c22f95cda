"""`transformers.Trainer` with our loss: weighted answers, and the balance of the routers' load."""

from functools import partial
from typing import Any

import torch
from accelerate.data_loader import prepare_data_loader
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, RandomSampler
from transformers import Trainer

from hubexpert.moe.adapter import gated_layers
from hubexpert.moe.listen import imbalance, listening
from hubexpert.train.batch import IGNORED


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


class AnswersTrainer(Trainer):
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
        """The loss of a batch; what all its prompts begin with is computed once."""
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
