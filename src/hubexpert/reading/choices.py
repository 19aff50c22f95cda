"""How likely a model finds each choice of an example."""

from collections.abc import Sequence

from hubexpert.lm import Encoded, Lm
from hubexpert.reading import ALONE, Lanes, read


def choice_nlls(lm: Lm, asked: Sequence[Sequence[Encoded]], *, lanes: Lanes = ALONE) -> list[list[tuple[float, ...]]]:
    """The summed NLL (nats) of every choice of every example by every lane, [lanes][examples][choices].

    Args:
        lm: the model.
        asked: per example its choices, each as the answer to the same prompt, which is read once.
        lanes: the adapters on the model.
    """
    told: list[list[tuple[float, ...]]] = [[] for _ in range(lanes.count)]
    for choices in asked:
        for lane, readings in enumerate(read(lm, choices, max_new_tokens=0, lanes=lanes)):
            sums = [reading.nll * len(choice.answer) for reading, choice in zip(readings, choices, strict=True)]
            told[lane].append(tuple(sums))
    return told
