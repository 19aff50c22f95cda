"""Greedy answers on their way: begun by a draft, generated on together until each is done."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from transformers import DynamicCache

from hubexpert.answers.normal import UNFINISHED
from hubexpert.lm import Encoded, Lm
from hubexpert.reading.lanes import Lanes


@dataclass
class Answer:
    """A greedy answer on its way."""

    row: Encoded
    enough: Callable[[str], bool]
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    done: bool = False


@dataclass(frozen=True)
class Pending:
    """Answers that are not done, with the keys and values of what was read of them, [answers, ...]."""

    answers: list[Answer]
    cache: DynamicCache
    mask: torch.Tensor  # [answers, tokens]
    owner: torch.Tensor  # [answers]


def look(lm: Lm, answer: Answer, max_new_tokens: int) -> None:
    """Bring the answer's text up to date, and say whether it is done."""
    ends = set(lm.ends)
    end = next((place for place, token in enumerate(answer.tokens) if token in ends), None)
    answer.text = lm.tokenizer.decode(answer.tokens[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    answer.done = (
        end is not None
        or len(answer.tokens) >= max_new_tokens
        or (not answer.text.endswith(UNFINISHED) and answer.enough(answer.text))
    )


def chosen(pending: Pending, rows: Sequence[int]) -> Pending:
    """Only those rows."""
    index = torch.tensor(rows, device=pending.mask.device)
    pending.cache.batch_select_indices(index)
    return Pending([pending.answers[row] for row in rows], pending.cache, pending.mask[index], pending.owner[index])


def groups(pending: Sequence[Pending], budget: int) -> Iterator[list[Pending]]:
    """What is generated together: as much as keeps within a budget of tokens in the cache."""
    group: list[Pending] = []
    for one in pending:
        rows = sum(len(other.answers) for other in [*group, one])
        if group and rows * max(other.mask.shape[1] for other in [*group, one]) > budget:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def joined(group: Sequence[Pending]) -> Pending:
    """Several as one, their keys and values padded on the left."""
    if len(group) == 1:
        return group[0]
    longest = max(one.mask.shape[1] for one in group)
    pad = [longest - one.mask.shape[1] for one in group]
    cache = DynamicCache()
    for index in range(len(group[0].cache.layers)):
        layers = [one.cache.layers[index] for one in group]
        keys, values = (
            torch.cat([torch.nn.functional.pad(kept, (0, 0, p, 0)) for kept, p in zip(both, pad, strict=True)])
            for both in ([layer.keys for layer in layers], [layer.values for layer in layers])
        )
        cache.update(keys, values, index)
    mask = torch.cat([torch.nn.functional.pad(one.mask, (p, 0)) for one, p in zip(group, pad, strict=True)])
    owner = torch.cat([one.owner for one in group])
    return Pending([answer for one in group for answer in one.answers], cache, mask, owner)


def go_on(lm: Lm, pending: Pending, max_new_tokens: int, lanes: Lanes) -> None:
    """Generate the answers to their ends, token by token."""
    while True:
        going = [row for row, answer in enumerate(pending.answers) if not answer.done]
        if not going:
            return
        if len(going) < len(pending.answers):
            pending = chosen(pending, going)
        mask = torch.cat([pending.mask, pending.mask.new_ones(len(going), 1)], dim=1)
        lanes.assign(pending.owner)
        made = lm.model(
            input_ids=torch.tensor([[answer.tokens[-1]] for answer in pending.answers], device=mask.device),
            attention_mask=mask,
            position_ids=mask.sum(1, keepdim=True) - 1,
            past_key_values=pending.cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]  # [answers, vocabulary]
        for answer, token in zip(pending.answers, made.argmax(-1).tolist(), strict=True):
            answer.tokens.append(token)
            look(lm, answer, max_new_tokens)
        pending = replace(pending, mask=mask)
