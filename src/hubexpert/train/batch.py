"""Examples as batches: cut to length, shared among processes, padded."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from hubexpert.lm import Encoded, left_padded

IGNORED = -100  # the label of a token that is not learned


def fitted(example: Encoded, longest: int) -> Encoded:
    """The example cut to that many tokens: a prompt too long from the left, so that the answer stays."""
    answer = example.answer[: longest - 1]
    return replace(example, prompt=example.prompt[-(longest - len(answer)) :], answer=answer)


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
