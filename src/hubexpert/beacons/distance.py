"""The semantic distance of a model's own answers from the gold ones."""

from collections.abc import Sequence

import numpy as np

from hubexpert import lm
from hubexpert.examine import answer_length
from hubexpert.lm import Lm
from hubexpert.progress import track
from hubexpert.records import Example
from hubexpert.workspace import Journal, fingerprint

AT_ONCE = 32  # answers between two moments at which they are kept
LONGEST = 128  # tokens of an answer


def answers(
    model: Lm,
    examples: Sequence[Example],
    *,
    label: str,
    quiet: bool,
    journal: Journal | None = None,
    key: object = None,
) -> list[str]:
    """The model's greedy answer to every example, in their order; once given, read from the journal.

    Args:
        model: answers.
        examples: are asked without their outputs; these say how long an answer may be, 128 tokens at most.
        label: what the progress calls it.
        quiet: no progress.
        journal: where answers lie, each under the example's fingerprint and `key`; without one none is kept.
        key: what the answers depend on: the model.
    """
    if not examples:
        return []
    longest = min(LONGEST, answer_length(model.tokenizer, examples))
    keys = [fingerprint([key, longest, example]) for example in examples]
    done: dict[str, str] = journal.read() if journal else {}
    left = [i for i, entry in enumerate(keys) if entry not in done]
    groups = [left[start : start + AT_ONCE] for start in range(0, len(left), AT_ONCE)]
    for group in track(groups, label, quiet=quiet):
        prompts = [lm.encode(model.tokenizer, examples[i], "").prompt for i in group]
        told = dict(zip((keys[i] for i in group), lm.generate(model, prompts, max_new_tokens=longest), strict=True))
        if journal:
            journal.extend(told)
        done |= told
    return [done[entry] for entry in keys]


def distances(given: np.ndarray, gold: np.ndarray) -> list[float]:
    """1 - cosine of each answer's vector and the gold one's, 0 to 2.

    Args:
        given: the answers' vectors, [examples, dimensions], of length 1.
        gold: the gold outputs', the same.
    """
    return [round(float(distance), 6) for distance in 1 - (given * gold).sum(axis=1)]
