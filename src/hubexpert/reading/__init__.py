"""What a model makes of examples: the likelihood of the gold output and the greedy answer, in one pass over the prompt.

The tokens that all prompts begin with are read once, and their keys and values shared. The gold output is read behind
its prompt. That gives its likelihood, and the greedy answer as far as the likeliest token is the gold one: the gold
output is the draft of a speculative decoding. Only answers that leave it and are not decided yet are generated on,
from the keys and values that are there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from transformers import DynamicCache

from hubexpert.lm import Encoded, Lm, generate, left_padded, mean_nll
from hubexpert.reading.answers import Answer, Pending, chosen, go_on, groups, joined, look
from hubexpert.reading.batches import (
    COST_OF_A_BATCH,
    MOST_TOKENS,
    in_batches,
    kind_of_device,
    rows_at_once,
    tokens_at_once,
)
from hubexpert.reading.lanes import ALONE, Lanes
from hubexpert.reading.prefix import common, shareable

__all__ = ["ALONE", "Lanes", "Reading", "fitted", "read", "read_plainly", "shareable"]

SHORTEST_SHARED = 8  # tokens; fewer are read again more cheaply than they are kept
Enough = Callable[[int, str], bool]


@dataclass(frozen=True)
class Reading:
    """Of one example: the gold output's mean token NLL (nats), and the greedy answer as far as it was needed."""

    nll: float
    text: str


def never(_index: int, _text: str) -> bool:
    """Every answer is needed to its end."""
    return False


def read(
    lm: Lm, encoded: Sequence[Encoded], *, max_new_tokens: int, enough: Enough = never, lanes: Lanes = ALONE
) -> list[list[Reading]]:
    """The readings of every example by every lane, [lanes][examples]: those of `read_plainly`, up to rounding.

    What exceeds the model's context is cut from the prompt's left. Where memory runs out, batches get smaller.

    Args:
        lm: the model.
        encoded: prompts and gold outputs.
        max_new_tokens: the longest answer; 0 for likelihoods alone.
        enough: whether the text of an example's answer so far is all that is needed of it.
        lanes: the adapters on the model; one where the model is not `shareable`.

    Raises:
        ValueError: several lanes on a model that takes one.
    """
    rows = [fitted(example, lm.context, max_new_tokens) for example in encoded]
    if not shareable(lm, max(len(row.prompt) + max(len(row.answer), max_new_tokens) for row in rows)):
        if lanes.count > 1:
            raise ValueError("a model with a state, or with a window that is too short, takes one adapter at a time")
        return [read_plainly(lm, rows, max_new_tokens=max_new_tokens)]
    shared = common(rows) if len(rows) > 1 else 0
    shared = shared if shared >= SHORTEST_SHARED else 0
    nlls = [0.0] * (len(rows) * lanes.count)
    answers = [Answer(row, partial(enough, index)) for _ in range(lanes.count) for index, row in enumerate(rows)]
    with torch.inference_mode():
        prefix = _read_prefix(lm, rows[0].prompt[:shared], lanes)

        def read_batch(batch: list[int]) -> Pending | None:
            places = [lane * len(rows) + index for lane in range(lanes.count) for index in batch]
            told, pending = _read_batch(lm, prefix, shared, [answers[i] for i in places], max_new_tokens, lanes)
            for place, nll in zip(places, told, strict=True):
                nlls[place] = nll
            return pending

        lengths = [len(row.prompt) - shared + len(row.answer) for row in rows]
        budget = tokens_at_once(lm) // lanes.count
        most_rows = rows_at_once(lm, shared + max(lengths)) // lanes.count
        kind = kind_of_device(lm.device)
        batches = in_batches(lengths, budget, COST_OF_A_BATCH[kind], most_rows, read_batch)
        pending = [left for left in batches if left]
        for group in groups(pending, MOST_TOKENS[kind]):
            go_on(lm, joined(group), max_new_tokens, lanes)
    readings = [Reading(nll, answer.text) for nll, answer in zip(nlls, answers, strict=True)]
    return [readings[start : start + len(rows)] for start in range(0, len(readings), len(rows))]


def read_plainly(lm: Lm, encoded: Sequence[Encoded], *, max_new_tokens: int) -> list[Reading]:
    """The readings by a forward pass for the likelihoods and a generation for the answers: slow, for every model."""
    nlls = mean_nll(lm, encoded)
    prompts = [example.prompt for example in encoded]
    texts = generate(lm, prompts, max_new_tokens=max_new_tokens) if max_new_tokens else [""] * len(prompts)
    return [Reading(nll, text) for nll, text in zip(nlls, texts, strict=True)]


def fitted(example: Encoded, context: int, max_new_tokens: int) -> Encoded:
    """The example cut to a context of that many tokens: of the prompt the left goes, of an endless answer the end."""
    answer = example.answer[: max(1, context - 1)]
    return Encoded(example.prompt[-max(1, context - max(len(answer), max_new_tokens)) :], answer)


def _read_prefix(lm: Lm, tokens: Sequence[int], lanes: Lanes) -> DynamicCache:
    """Keys and values of the shared tokens, one row a lane."""
    cache = DynamicCache()
    if tokens:
        lanes.assign(torch.arange(lanes.count, device=lm.device))
        ids = torch.tensor([tokens] * lanes.count, device=lm.device)
        lm.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


def _repeated(prefix: DynamicCache, times: int) -> DynamicCache:
    """A cache in which every row of `prefix` stands `times` times; nothing is copied before it is written to."""
    cache = DynamicCache()
    for index, layer in enumerate(prefix.layers):
        cache.update(_times(layer.keys, times), _times(layer.values, times), index)
    return cache


def _times(kept: torch.Tensor, times: int) -> torch.Tensor:
    return kept.repeat_interleave(times, 0) if len(kept) > 1 else kept.expand(times, -1, -1, -1)


def _read_batch(
    lm: Lm, prefix: DynamicCache, shared: int, answers: Sequence[Answer], max_new_tokens: int, lanes: Lanes
) -> tuple[list[float], Pending | None]:
    """The NLLs of one batch, all rows by the first lane, then by the next; and those answers that are to be gone on."""
    texts = [(*answer.row.prompt[shared:], *answer.row.answer[:-1]) for answer in answers]  # the last predicts nothing
    inputs = left_padded(texts, lm.tokenizer.pad_token_id, lm.device)
    mask = torch.cat([inputs["attention_mask"].new_ones(len(texts), shared), inputs["attention_mask"]], dim=1)
    owner = torch.arange(lanes.count, device=lm.device).repeat_interleave(len(texts) // lanes.count)
    cache = _repeated(prefix, len(texts) // lanes.count)
    lanes.assign(owner)
    logits = lm.model(
        input_ids=inputs["input_ids"],
        attention_mask=mask,
        position_ids=inputs["position_ids"] + shared,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=max(len(answer.row.answer) for answer in answers),
    ).logits  # [rows, longest answer, vocabulary]
    nlls = []
    for row, (answer, scores) in enumerate(zip(answers, logits, strict=True)):
        gold = torch.tensor(answer.row.answer, device=scores.device)
        told = scores[-len(gold) :]  # position t predicts the answer's token t
        nlls.append(torch.nn.functional.cross_entropy(told.float(), gold).item())
        answer.tokens = _drafted(answer.row.answer, told.argmax(-1).tolist())[:max_new_tokens]
        unused = len(gold) - len(answer.tokens)  # tokens of the gold output that were read and are not the answer's
        if unused > 0:
            mask[row, -unused:] = 0
        look(lm, answer, max_new_tokens)
    going = [row for row, answer in enumerate(answers) if not answer.done]
    if not going:
        return nlls, None
    return nlls, chosen(Pending(list(answers), cache, mask, owner), going)


def _drafted(gold: Sequence[int], likeliest: Sequence[int]) -> list[int]:
    """The greedy answer's first tokens: the gold output's up to the first that is not the likeliest, and that one."""
    agreed = next((i for i, (a, b) in enumerate(zip(gold, likeliest, strict=True)) if a != b), len(gold) - 1)
    return list(likeliest[: agreed + 1])
