"""What a model knows of the examples' inputs by heart: it is given the first half of each and goes on greedily."""

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hubexpert import lm
from hubexpert.lm import Lm
from hubexpert.overlap import Words, words
from hubexpert.prompt import prompt_text
from hubexpert.records import Example

MOST = 16  # inputs that are asked for
FEWEST_WORDS = 12  # of an input
FEWEST_FRESH = 5  # words of a second half that can be known by heart alone
STALE = 3  # words in sequence that make a piece which is told by the first half, or by another input
LONGEST = 200  # characters of a second half that are compared
WHOLE = 0.6  # of the fresh words in one run: the input was reproduced


@dataclass(frozen=True)
class Recall:
    """For each input that was asked for: the longest run of words reproduced, over the words that were there to be."""

    shares: tuple[float, ...]

    @property
    def reproduced(self) -> tuple[bool, ...]:
        """Which of the inputs were reproduced."""
        return tuple(share >= WHOLE for share in self.shares)


@dataclass(frozen=True)
class Half:
    """An input cut in two.

    Attributes:
        example: with its first half alone.
        rest: how the second half begins.
        fresh: the runs of fresh words in that.
    """

    example: Example
    rest: str
    fresh: tuple[Words, ...]

    @property
    def size(self) -> int:
        """How many words of the second half are fresh."""
        return sum(map(len, self.fresh))


def halves(shots: Sequence[Example], test: Sequence[Example], seed: int) -> list[Half]:
    """Up to 16 of the shots' inputs of at least 12 words, drawn by the seed, that can be known by heart alone.

    A word of the second half is fresh unless three words in sequence around it stand in the first half or in another
    input of the task: what the examples have in common, any adapter for such a task can write.

    Args:
        shots: of which inputs are drawn.
        test: further examples of the task, which tell what its inputs have in common.
        seed: of the drawing.
    """
    once = {words(example.input): example for example in reversed(shots)}
    held = Counter(piece for found in {*once, *(words(e.input) for e in test)} for piece in set(_pieces(found)))
    result: list[Half] = []
    for found in random.Random(seed).sample(sorted(once), len(once)):  # noqa: S311  no secret
        text = once[found].input
        place = _cut(text)
        before, after = text[:place], text[place:][:LONGEST]
        known = {piece for piece in _pieces(found) if held[piece] > 1} | set(_pieces(words(before)))
        half = Half(once[found].model_copy(update={"input": before, "choices": ()}), after, _fresh(words(after), known))
        if len(found) >= FEWEST_WORDS and half.size >= FEWEST_FRESH:
            result.append(half)
    return result[:MOST]


def recall(model: Lm, asked: Sequence[Half]) -> Recall:
    """How much of each second half the model writes when it has read the first one, as the beginning of a user's turn.

    The turn is not closed, so the model goes on with it; of its words case and punctuation do not matter.
    """
    if not asked:
        return Recall(())
    prompts = [_open_turn(model.tokenizer, half.example) for half in asked]
    longest = max(len(model.tokenizer(half.rest, add_special_tokens=False).input_ids) for half in asked)
    answers = lm.generate(model, prompts, max_new_tokens=longest)
    return Recall(
        tuple(
            max(longest_run(run, words(answer)) for run in half.fresh) / half.size
            for half, answer in zip(asked, answers, strict=True)
        )
    )


def longest_run(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest run of words that both hold."""
    best, ending = (
        0,
        [0] * (len(second) + 1),
    )  # ending[j]: the run that ends at this word of the first and j - 1 of the second
    for word in first:
        ending = [0, *(ending[j] + 1 if word == other else 0 for j, other in enumerate(second))]
        best = max(best, *ending)
    return best


def _open_turn(tokenizer: Any, example: Example) -> list[int]:
    """The token ids of the prompt up to the end of the input."""
    text = prompt_text(tokenizer, example)
    end = text.rfind(example.input.strip())
    ids: list[int] = tokenizer(text[: end + len(example.input.strip())], add_special_tokens=False).input_ids
    return ids


def _cut(text: str) -> int:
    """Where the text is cut: at the white space that is nearest to its middle, or there where it has none."""
    middle = len(text) // 2
    return min((found.start() for found in re.finditer(r"\s+", text)), key=lambda p: abs(p - middle), default=middle)


def _pieces(found: Words) -> list[Words]:
    return [found[place : place + STALE] for place in range(len(found) - STALE + 1)]


def _fresh(found: Words, known: set[Words]) -> tuple[Words, ...]:
    """The runs of words that no known piece covers."""
    stale = {place + i for place, piece in enumerate(_pieces(found)) if piece in known for i in range(STALE)}
    runs: list[list[str]] = [[]]
    for place, word in enumerate(found):
        if place in stale:
            runs.append([])
        else:
            runs[-1].append(word)
    return tuple(tuple(run) for run in runs if run)
