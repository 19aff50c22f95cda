"""Replies of a model in this process."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from hubexpert.recipe import TeacherSection
from hubexpert.records import Example, Reply
from hubexpert.teacher.reply import read_reply

if TYPE_CHECKING:
    from hubexpert.lm import Lm

AT_ONCE = 8  # questions between two moments at which replies are kept


def replies(
    settings: TeacherSection, seed: int | None, load: Callable[[], "Lm"], questions: Sequence[str]
) -> Iterator[tuple[int, Reply]]:
    """The index of each question and its reply, in order: greedy, or sampled from a seed of the question's own."""
    import torch

    from hubexpert import lm

    model = load()
    prompts = [lm.encode(model.tokenizer, Example(input=question, output=""), "").prompt for question in questions]
    size = AT_ONCE if seed is None else 1  # what is sampled must not depend on its neighbours
    for start in range(0, len(prompts), size):
        batch = prompts[start : start + size]
        with torch.random.fork_rng():
            torch.manual_seed(_seed(seed, questions[start]))
            made = lm.continuations(model, batch, max_new_tokens=settings.max_tokens, temperature=settings.temperature)
        for index, (prompt, ids) in enumerate(zip(batch, made, strict=True), start=start):
            if len(prompt) + settings.max_tokens > model.context:  # cut from the left, it has lost what it asks
                yield index, Reply(state="failed", reason="the question does not fit into the model's context")
                continue
            yield (
                index,
                read_reply(
                    model.tokenizer.decode(ids, skip_special_tokens=True),
                    cut=not ids or ids[-1] not in model.ends,
                    prompt_tokens=len(prompt),
                    completion_tokens=len(ids),
                ),
            )


def _seed(seed: int | None, question: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {question}".encode()).digest()[:4])
