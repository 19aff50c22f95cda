"""How likely a model finds each choice of an example."""

from collections.abc import Sequence
from itertools import chain

from hubexpert.lm import Encoded, Lm
from hubexpert.reading import ALONE, Lanes, read
from hubexpert.reading.prefix import common


def choice_nlls(lm: Lm, asked: Sequence[Sequence[Encoded]], *, lanes: Lanes = ALONE) -> list[list[tuple[float, ...]]]:
    """The summed NLL (nats) of every choice of every example by every lane, [lanes][examples][choices].

    A prompt is read once for all its choices, unless all prompts begin alike (with the same shots, say) for so long
    that it takes fewer tokens to read that once, and the rest of the prompt with every choice.

    Args:
        lm: the model.
        asked: per example its choices, each as the answer to the same prompt.
        lanes: the adapters on the model.
    """
    groups = [list(asked)] if _alike(asked) else [[choices] for choices in asked]
    told: list[list[tuple[float, ...]]] = [[] for _ in range(lanes.count)]
    for group in groups:
        rows = list(chain.from_iterable(group))
        for lane, readings in enumerate(read(lm, rows, max_new_tokens=0, lanes=lanes)):
            sums = iter([reading.nll * len(row.answer) for reading, row in zip(readings, rows, strict=True)])
            told[lane] += [tuple(next(sums) for _ in choices) for choices in group]
    return told


def _alike(asked: Sequence[Sequence[Encoded]]) -> bool:
    """Whether the beginning that all share is longer than what else of the prompts would be read more than once."""
    prompts = [choices[0].prompt for choices in asked]
    shared = common([choices[0] for choices in asked])
    again = sum((len(p) - shared) * (len(c) - 1) for p, c in zip(prompts, asked, strict=True))
    return shared * (len(asked) - 1) > again
