"""Inputs that stand in a row with one slip: a word changed, added or left out, two joined, one parted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hubexpert.overlap import SHORT, Words

SEED = SHORT // 2 - 1  # words: a slip leaves as many on one of its sides, in any input of 8 words


@dataclass(frozen=True)
class Copies:
    """What is looked for in rows.

    Attributes:
        seeds: three words, the rarest of a half of an input -> the inputs, and where in them these words stand.
    """

    seeds: dict[Words, tuple[tuple[Words, int], ...]]

    def stand_in(self, row: Words) -> bool:
        """Whether one of the inputs stands in the row, with at most one slip."""
        for place in range(len(row) - SEED + 1):
            for held, offset in self.seeds.get(row[place : place + SEED], ()):
                if _stands(held, offset, row, place):
                    return True
        return False


def copies_of(inputs: Sequence[Words]) -> Copies:
    """What is looked for, of inputs of 8 words and more; shorter ones are other inputs when one word is another."""
    long = [held for held in dict.fromkeys(inputs) if len(held) >= SHORT]
    common = Counter(held[place : place + SEED] for held in long for place in range(len(held) - SEED + 1))
    seeds: dict[Words, list[tuple[Words, int]]] = {}
    for held in long:
        middle = len(held) // 2
        for first, last in ((0, middle), (middle + 1, len(held))):  # two words that are joined stand in one of them
            offset = min(range(first, last - SEED + 1), key=lambda place: common[held[place : place + SEED]])
            seeds.setdefault(held[offset : offset + SEED], []).append((held, offset))
    return Copies({seed: tuple(found) for seed, found in seeds.items()})


def _stands(held: Words, offset: int, row: Words, place: int) -> bool:
    """Whether the input, whose word at `offset` is the row's at `place`, stands around it with at most one slip."""
    before, after = held[:offset][::-1], held[offset:]
    left, right = row[max(0, place - offset - 1) : place][::-1], row[place : place + len(after) + 1]
    back, on = _agreeing(before, left), _agreeing(after, right)
    if back == len(before):
        return _slipped(after[on:], right[on:])
    return on == len(after) and _slipped(before[back:], left[back:], backwards=True)


def _agreeing(one: Words, other: Words) -> int:
    """How many words at the beginning are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _slipped(held: Words, row: Words, *, backwards: bool = False) -> bool:
    """Whether `row` goes on as `held` does after one slip at once; both may be told backwards."""
    if not held:
        return True
    changed, left_out, added = row[1 : len(held)] == held[1:], row[: len(held) - 1] == held[1:], row[1:] == held
    joined = row[:1] == (_joined(held[:2], backwards),) and row[1 : len(held) - 1] == held[2:]
    parted = held[0] == _joined(row[:2], backwards) and row[2:] == held[1:]
    return changed or left_out or added or joined or parted


def _joined(both: Words, backwards: bool) -> str:
    return "".join(reversed(both) if backwards else both)
