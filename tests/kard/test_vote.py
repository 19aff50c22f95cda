"""Several answers are sampled to a question, and the one that most of them come to counts."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubexpert.kard.vote import vote, voted
from hubexpert.lm import Lm, encode, generate
from hubexpert.records import ANSWER, Example
from tests import tiny

FREE = Example(input="who?", output="nobody", reasoned=True)
CHOSEN = FREE.model_copy(update={"choices": ("a cat", "a dog"), "output": "a cat"})


def reply(answer: str, rationale: str = "so it is") -> str:
    return f"{rationale}\n{ANSWER} {answer}"


@pytest.mark.parametrize(
    ("example", "answers", "place"),
    [
        (FREE, ["one", "two", "two"], 1),
        (FREE, ["one", "Two.", "  two\nand more", "one hundred"], 1),
        (FREE, ["one", "two"], 0),
        (FREE, ["one", "the answer is two", "two"], 1),
        (CHOSEN, ["a cat", "(B)", "a dog, I think"], 1),
        (CHOSEN, ["no idea", "A", "a cat"], 1),
    ],
)
def test_the_commonest_final_answer_counts(example: Example, answers: list[str], place: int) -> None:
    """Whatever the rationales say, however the answer is spelled; of equally common ones the first."""
    texts = [reply(answer, f"reason {i}") for i, answer in enumerate(answers)]
    assert vote(texts, example) == texts[place]


def test_what_comes_to_no_answer_has_no_vote() -> None:
    """Unless none does: then the texts are taken as they are."""
    endless = "it is so since it is so"
    assert vote([endless, endless, reply("one")], FREE) == reply("one")
    assert vote([endless, endless], FREE) == endless
    assert vote(["one", "two", "two"], FREE.model_copy(update={"reasoned": False})) == "two"


@given(st.lists(st.sampled_from(["one", "two", "six"]), min_size=1, max_size=9))
def test_votes_are_counted(answers: list[str]) -> None:
    """No other answer has more of them, and the gold output plays no part."""
    texts = [reply(answer) for answer in answers]
    won = vote(texts, FREE)
    counts = Counter(texts)
    assert counts[won] == max(counts.values())
    assert won == next(text for text in texts if counts[text] == counts[won])
    assert vote(texts, FREE.model_copy(update={"output": "two"})) == won


def test_samples_hang_on_the_seed_alone() -> None:
    """Equal seeds give equal answers, others others; one almost cold sample is the greedy answer."""
    model, asked = Lm(tiny.model(), tiny.tokenizer()), [Example(input=f"who is {i}?", output="x") for i in range(3)]

    def sampled(seed: int, temperature: float = 1.0, votes: int = 3) -> list[str]:
        return voted(model, asked, votes=votes, temperature=temperature, max_new_tokens=6, seed=seed)

    assert sampled(0) == sampled(0) != sampled(1)
    greedy = generate(model, [encode(model.tokenizer, each, "").prompt for each in asked], max_new_tokens=6)
    assert sampled(0, temperature=1e-4) == greedy
