"""Which expert spoke where: the gates of every token of a few examples, prompt and greedy answer."""

from collections.abc import Sequence
from typing import Any

import torch

from hubexpert.answers.normal import UNFINISHED
from hubexpert.lm import Lm, continuations, encode
from hubexpert.moe.adapter import gated_layers
from hubexpert.moe.listen import listening
from hubexpert.records import Example, TokenShares


def spoken(model: Lm, examples: Sequence[Example], *, max_new_tokens: int) -> tuple[TokenShares, ...]:
    """Of every example the mixture's greedy answer, and each expert's mean gate over all modules, token by token.

    A prompt that leaves no room for the answer in the model's context is cut from the left. In a module that an expert
    does not adapt its gate means that nobody speaks; it counts all the same.

    Args:
        model: the routed mixture, loaded, of one expert at least.
        examples: a few; their outputs are not looked at.
        max_new_tokens: the longest answer.
    """
    room = max(1, model.context - max_new_tokens)
    prompts = [encode(model.tokenizer, example, "").prompt[-room:] for example in examples]
    answers = continuations(model, prompts, max_new_tokens=max_new_tokens)
    return tuple(
        TokenShares(
            example=index,
            tokens=tuple(pieces(model.tokenizer, (*prompt, *answer))),
            shares=tuple(tuple(round(share, 4) for share in token) for token in _shares(model, (*prompt, *answer))),
            answer=len(prompt),
        )
        for index, (prompt, answer) in enumerate(zip(prompts, answers, strict=True))
    )


@torch.inference_mode()
def _shares(model: Lm, tokens: Sequence[int]) -> list[list[float]]:
    """[tokens][experts]: the mean gate over all modules, from one pass over the text."""
    gates = {module: gate for module, (gate, _) in gated_layers(model.model).items()}
    heard: list[torch.Tensor] = []  # of every module [batch, tokens, experts]
    with listening(dict(gates), lambda module, x: heard.append(gates[module].gate(x).float())):
        model.model(input_ids=torch.tensor([tokens], device=model.device), use_cache=False)
    shares: list[list[float]] = torch.stack(heard).mean(0)[0].tolist()
    return shares


def pieces(tokenizer: Any, tokens: Sequence[int]) -> list[str]:
    """The text of every token, special ones too; put together they are the decoded whole.

    A character of which each token has only some bytes stands with the last of them, and the others are empty. Tokens
    are decoded behind the piece before them, because a tokenizer may drop the space that begins a text.
    """
    found: list[str] = []
    before = begun = 0  # where the last finished piece begins, and where it ends
    for place in range(len(tokens)):
        known = _decoded(tokenizer, tokens[before:begun])
        text = _decoded(tokenizer, tokens[before : place + 1])
        if text.endswith(UNFINISHED) and place + 1 < len(tokens):
            found.append("")
            continue
        found.append(text[len(known) :])
        before, begun = begun, place + 1
    return found


def _decoded(tokenizer: Any, tokens: Sequence[int]) -> str:
    text: str = tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text
