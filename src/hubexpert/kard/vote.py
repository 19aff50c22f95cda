"""Self-consistency: of several sampled answers the one that most of them come to (arXiv 2203.11171)."""

from collections import Counter
from collections.abc import Sequence

import torch

from hubexpert.answers.choices import NONE, named
from hubexpert.answers.lead import after_lead
from hubexpert.answers.match import part_that_counts
from hubexpert.answers.normal import finished, plain
from hubexpert.lm import Lm, continuations, encode
from hubexpert.records import ANSWER, Example


def vote(texts: Sequence[str], example: Example) -> str:
    """The first of the texts whose final answer is the commonest; of equally common ones the first counts.

    Texts that come to no answer have no vote, unless none does.

    Args:
        texts: whole answers to the example, at least one.
        example: tells what form an answer has; what its gold output says plays no part.
    """
    ended = [text for text in texts if ANSWER in text or not example.reasoned] or texts
    finals = [_final(text, example) for text in ended]
    commonest = Counter(finals).most_common(1)[0][0]
    return ended[finals.index(commonest)]


def voted(
    model: Lm, examples: Sequence[Example], *, votes: int, temperature: float, max_new_tokens: int, seed: int
) -> list[str]:
    """To every example the answer that most of its samples come to; equal arguments give equal answers.

    Args:
        model: who answers.
        examples: what is asked.
        votes: how many answers are sampled for each.
        temperature: at which.
        max_new_tokens: of the longest.
        seed: of the samples.
    """
    prompts = [encode(model.tokenizer, example, "").prompt for example in examples]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        repeated = [prompt for prompt in prompts for _ in range(votes)]
        made = continuations(model, repeated, max_new_tokens=max_new_tokens, temperature=temperature)
    texts = model.tokenizer.batch_decode(made, skip_special_tokens=True)
    return [vote(texts[i * votes : (i + 1) * votes], example) for i, example in enumerate(examples)]


def _final(text: str, example: Example) -> str:
    """What the text comes to, normalised: the choice that it names, or what counts of it without a lead."""
    part = part_that_counts(text, example)[0]
    if example.choices:
        (choice,) = named(part, example.choices)
        if choice != NONE:
            return choice
    return finished(after_lead(plain(part), whole=True) or plain(part))
