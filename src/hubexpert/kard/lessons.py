"""Examples with passages: to learn from, found by the rationale; to be asked, found by the question (KARD, 3.1)."""

from collections.abc import Callable, Sequence
from typing import Any

from hubexpert.errors import HubExpertError
from hubexpert.lm import encode
from hubexpert.prompt import options
from hubexpert.records import Example, TrainingExample

Retrieve = Callable[[list[str]], list[list[str]]]  # queries -> the passages of each, the best first


def lessons(
    examples: Sequence[Example], rationales: Sequence[Sequence[str]], retrieve: Retrieve
) -> tuple[TrainingExample, ...]:
    """Each rationale as an answer, with the passages that it finds: question and passages → rationale, then output.

    L = −(1/nl) Σ Σ log p(rationale, output | question, passages). Where questions have different numbers
    of rationales their weights, of mean 1, let every question count alike. An example without a rationale gives none.

    Args:
        examples: the questions.
        rationales: of each example.
        retrieve: gives the passages of each query.

    Raises:
        HubExpertError: no example has a rationale.
    """
    pairs = [(example, r) for example, told in zip(examples, rationales, strict=True) for r in told]
    if not pairs:
        raise HubExpertError(
            f"None of {len(examples)} examples has a rationale that could be learned from.",
            fix="name a stronger model under `data.teacher`, or set `data.kard.verified: false`",
        )
    found = retrieve([rationale for _, rationale in pairs])
    questions = sum(1 for told in rationales if told)
    counts = [len(told) for told in rationales for _ in told]
    return tuple(
        TrainingExample(
            example=example.model_copy(update={"rationale": r, "passages": tuple(passages), "reasoned": True}),
            weight=len(pairs) / (questions * count),
        )
        for (example, r), passages, count in zip(pairs, found, counts, strict=True)
    )


def with_passages(examples: Sequence[Example], retrieve: Retrieve) -> tuple[Example, ...]:
    """The examples as they are asked: with the passages that the question finds, and without their rationale."""
    found = retrieve([query(example) for example in examples]) if examples else []
    return tuple(
        example.model_copy(update={"rationale": None, "passages": tuple(passages), "reasoned": True})
        for example, passages in zip(examples, found, strict=True)
    )


def query(example: Example) -> str:
    """What a question is looked up by: its input, and the choices where they are listed behind it."""
    return "\n".join([example.input, *options(example)])


def fitted_passages(tokenizer: Any, example: Example, passages: Sequence[str], room: int) -> tuple[str, ...]:
    """As many of the passages, the best first, as leave the prompt and the longest answer within `room` tokens.

    The first that does not fit whole is cut at its end, between words where it has any; those behind it are left out.
    Nothing else is cut: where even the bare question does not fit there are no passages.

    Args:
        tokenizer: the base's.
        example: the question; its answers are its reply, and its choices.
        passages: the best first.
        room: in tokens.
    """
    longest = max(len(encode(tokenizer, example, text).answer) for text in (example.reply, *example.choices))

    def fits(some: Sequence[str]) -> bool:
        prompt = encode(tokenizer, example.model_copy(update={"passages": tuple(some)}), "").prompt
        return len(prompt) + longest <= room

    if not passages or fits(passages):
        return tuple(passages)
    whole = _most(len(passages), lambda count: fits(passages[:count]))
    kept, last = tuple(passages[:whole]), passages[whole]
    characters = _most(len(last), lambda count: fits((*kept, last[:count])))
    cut = _between_words(last, characters)
    return (*kept, cut) if cut and fits((*kept, cut)) else kept


def _most(limit: int, holds: Callable[[int], bool]) -> int:
    """The largest number below `limit` for which it holds, by halving; 0 where it holds for none."""
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _between_words(text: str, end: int) -> str:
    """The text up to there without a part of a word, unless it is all one word."""
    if not any(character.isspace() for character in text[max(0, end - 1) : end + 1]):
        words = text[:end].rsplit(maxsplit=1)
        end = end if len(words) < 2 else end - len(words[1])
    return text[:end].rstrip()
