"""The beginning that all prompts share (the chat template's and the instruction), computed once for a whole batch.

With short inputs it is more than half of every row. Nothing is approximated: a token sees only what stands before it,
so its states are the same for every row, and its gradients are the sum over the rows.
"""

from collections.abc import Sequence
from itertools import takewhile

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from hubexpert.lm import Encoded, Lm, left_padded


def shareable(model: Lm, longest: int) -> bool:
    """Whether keys and values of `longest` tokens can be kept, shared and left out again: attention to all of them.

    Not where a model keeps a recurrent state, attends to fewer tokens, or does not cache.
    """
    layers = DynamicCache(config=model.model.config).layers
    return model.caches and all(
        type(layer) is DynamicLayer or (type(layer) is DynamicSlidingWindowLayer and layer.sliding_window >= longest)
        for layer in layers
    )


def common(encoded: Sequence[Encoded]) -> int:
    """How many tokens all prompts begin with, short of the last token of any."""
    columns = zip(*(e.prompt[:-1] for e in encoded), strict=False)
    return sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, columns))


def shared(model: Lm, encoded: Sequence[Encoded]) -> int:
    """How many of the tokens that all prompts begin with may be computed once.

    None where a row is longer than the model's context, since that is cut from the left, or the model is not
    `shareable`.
    """
    longest = max(len(e.prompt) + len(e.answer) for e in encoded)
    return common(encoded) if longest <= model.context and shareable(model, longest) else 0


def past(model: Lm, beginning: Sequence[int], rows: int) -> Cache:
    """The keys and values of a beginning, once for each of `rows` rows, with gradients."""
    ids = torch.tensor([beginning], device=model.device)
    cache = model.model(input_ids=ids, logits_to_keep=1, use_cache=True).past_key_values
    cache.batch_repeat_interleave(rows)
    return cache


def last_logits(model: Lm, rows: Sequence[Sequence[int]], count: int, begins: int) -> torch.Tensor:
    """The logits of the last `count` positions of every row, [rows, count, vocabulary], with gradients.

    Args:
        model: the base, with or without an adapter applied.
        rows: token ids; all begin with the same `begins` tokens and are longer.
        count: positions to keep, at most the tokens of the longest row that are not shared.
        begins: what `shared` says of them; 0 computes every row by itself.
    """
    pad = model.tokenizer.pad_token_id
    if begins == 0:
        inputs = left_padded([row[-model.context :] for row in rows], pad, model.device)
        return model.model(**inputs, logits_to_keep=count, use_cache=False).logits
    inputs = left_padded([row[begins:] for row in rows], pad, model.device)
    seen = inputs["attention_mask"].new_ones(len(rows), begins)
    return model.model(
        input_ids=inputs["input_ids"],
        attention_mask=torch.cat([seen, inputs["attention_mask"]], dim=1),
        position_ids=inputs["position_ids"] + begins,
        past_key_values=past(model, rows[0][:begins], len(rows)),
        logits_to_keep=count,
        use_cache=True,
    ).logits
