"""The base with the shots in the prompt: as many of them as its context holds.

Measured with `examine.examine(model, examples, metric, max_new_tokens=…, shots=shots_that_fit(…))`. All examples of one
call begin with the same shots, which are read once for all of them.
"""

import random
from collections.abc import Sequence

from hubexpert.examine import expanded
from hubexpert.lm import Lm, encode
from hubexpert.records import Example


def shots_that_fit(
    model: Lm,
    shots: Sequence[Example],
    examples: Sequence[Example],
    *,
    max_new_tokens: int,
    seed: int,
    most_tokens: int | None = None,
) -> tuple[Example, ...]:
    """As many shots as fit before the longest of the examples with its answer, in the order they stand in the prompt.

    The order is drawn: a file sorted by its outputs would otherwise show one of them alone where not all shots fit, and
    one of them last where they do. The first of that order are kept.

    Args:
        model: the base; its context is the limit.
        shots: to choose from.
        examples: what will be measured.
        max_new_tokens: the longest answer that will be generated.
        seed: of the order.
        most_tokens: what prompt and answer may take where that is less than the context.
    """
    limit = min(model.context, most_tokens or model.context)
    order = random.Random(seed).sample(shots, len(shots))  # noqa: S311  not for secrets
    longest = max(examples, key=lambda example: _length(model, example, (), max_new_tokens))
    fits, too_many = 0, len(order) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if _length(model, longest, order[:middle], max_new_tokens) <= limit:
            fits = middle
        else:
            too_many = middle
    return tuple(order[:fits])


def _length(model: Lm, example: Example, shots: Sequence[Example], max_new_tokens: int) -> int:
    """Tokens of the prompt and of the longest answer that is read or generated behind it."""
    answers = [encode(model.tokenizer, example, text, shots) for text in (expanded(example), *example.choices)]
    return len(answers[0].prompt) + max(max_new_tokens, *(len(encoded.answer) for encoded in answers))
