"""Shots in the prompt: the text, how many fit, and that they are read once."""

from typing import Any

import pytest
import torch

from hubexpert.baselines.in_context import shots_that_fit
from hubexpert.examine import NEUTRAL, examine
from hubexpert.lm import Lm, encode, mean_nll
from hubexpert.metrics import choose
from hubexpert.prompt import prompt_text, user_turn
from hubexpert.reading import read
from hubexpert.records import Example
from tests import tiny

SHOTS = [Example(instruction="Sort.", input=f"a{'x' * (i % 4)}{i}", output="left" if i % 2 else "no") for i in range(9)]
ASKED = [Example(instruction="Sort.", input="b" * (i + 1), output="left", choices=("left", "no")) for i in range(5)]


@pytest.fixture(scope="module")
def model() -> Lm:
    """The tiny base; 512 tokens of context, one token a byte."""
    return Lm(tiny.model(), tiny.tokenizer())


def test_shots_are_earlier_turns_of_the_chat(model: Lm) -> None:
    """The prompt is what the chat template makes of the conversation, in the order given."""
    shown = [SHOTS[1], SHOTS[0]]
    turns = [
        {"role": "user", "content": "Sort.\nax1"},
        {"role": "assistant", "content": "left"},
        {"role": "user", "content": "Sort.\na0"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": user_turn(ASKED[0])},
    ]
    wanted = model.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert prompt_text(model.tokenizer, ASKED[0], shown) == wanted
    assert model.tokenizer.decode(encode(model.tokenizer, ASKED[0], "left", shown).prompt) == wanted


def test_without_a_template_shots_are_prompts_and_answers_as_text() -> None:
    plain: Any = tiny.tokenizer()
    plain.chat_template = None
    example = Example(instruction="Sort.", input="b", output="no")
    assert prompt_text(plain, example, SHOTS[:2]) == "<s>Sort.\na0\nno\n\nSort.\nax1\nleft\n\nSort.\nb\n"
    assert prompt_text(plain, example) == "<s>Sort.\nb\n"


@pytest.mark.parametrize("most_tokens", [None, 40, 80, 81, 82, 100, 130, 200])
@pytest.mark.parametrize("longest", [3, 20])
def test_as_many_shots_are_taken_as_fit_before_the_longest_example(
    most_tokens: int | None, longest: int, model: Lm
) -> None:
    """With room for its answer. One more would not fit, whichever example is asked; those taken do with every one."""
    taken = shots_that_fit(model, SHOTS, ASKED, max_new_tokens=longest, seed=3, most_tokens=most_tokens)
    order = shots_that_fit(model, SHOTS, ASKED, max_new_tokens=longest, seed=3)
    assert sorted(order, key=SHOTS.index) == SHOTS  # all of them fit into the context
    assert taken == order[: len(taken)]

    def needed(count: int) -> int:
        encoded = [encode(model.tokenizer, e, e.output, order[:count]) for e in ASKED]
        return max(len(e.prompt) + max(len(e.answer), longest) for e in encoded)

    limit = most_tokens or 512
    assert all(needed(count) > limit for count in range(len(taken) + 1, len(order) + 1))
    assert not taken or needed(len(taken)) <= limit


def test_the_order_is_drawn_so_that_a_sorted_file_shows_all_outputs(model: Lm) -> None:
    shots = sorted(SHOTS, key=lambda shot: shot.output)
    taken = shots_that_fit(model, shots, ASKED, max_new_tokens=8, seed=0, most_tokens=140)
    assert len({shot.output for shot in taken}) == 2
    assert taken == shots_that_fit(model, shots, ASKED, max_new_tokens=8, seed=0, most_tokens=140)
    assert taken != shots_that_fit(model, shots, ASKED, max_new_tokens=8, seed=1, most_tokens=140)


def one_by_one(model: Lm, example: Example, longest: int) -> str:
    """The greedy answer, token by token, nothing shared or kept."""
    tokens: list[int] = []
    prompt = encode(model.tokenizer, example, "", SHOTS).prompt
    while len(tokens) < longest:
        with torch.inference_mode():
            tokens.append(int(model.model(torch.tensor([[*prompt, *tokens]])).logits[0, -1].argmax()))
        if tokens[-1] in model.ends:
            tokens.pop()
            break
    return str(model.tokenizer.decode(tokens))


def test_examples_are_measured_behind_the_shots(model: Lm) -> None:
    """Answers are those of each whole prompt by itself, and so are the gold outputs' NLLs; shots change them."""
    encoded = [encode(model.tokenizer, example, example.output, SHOTS) for example in ASKED]
    readings = read(model, encoded, max_new_tokens=8)[0]
    assert [reading.text for reading in readings] == [one_by_one(model, example, 8) for example in ASKED]
    nlls = examine(model, ASKED, "f1", max_new_tokens=8, shots=SHOTS)[0].nlls
    assert nlls == pytest.approx(mean_nll(model, encoded), rel=1e-4)
    assert nlls != pytest.approx(examine(model, ASKED, "f1", max_new_tokens=8)[0].nlls, rel=1e-2)


def test_choices_are_weighed_behind_the_shots(model: Lm) -> None:
    """The likeliest choice, less what an input that says nothing makes of it behind the same shots."""

    def summed(example: Example) -> list[float]:
        encoded = [encode(model.tokenizer, example, choice, SHOTS) for choice in example.choices]
        return [nll * len(e.answer) for nll, e in zip(mean_nll(model, encoded), encoded, strict=True)]

    asked = [e.model_copy(update={"input": f"{e.input} {i}"}) for i, e in enumerate(ASKED)]
    picked = [choose(summed(e), summed(e.model_copy(update={"input": NEUTRAL}))) for e in asked]
    asked = [e.model_copy(update={"output": e.choices[pick]}) for e, pick in zip(asked, picked, strict=True)]
    asked[2] = asked[2].model_copy(update={"output": asked[2].choices[1 - picked[2]]})
    assert examine(model, asked, "choice", max_new_tokens=8, shots=SHOTS)[0].values == (1.0, 1.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize(("metric", "times"), [("exact_match", 1), ("choice", 3)])
def test_the_shots_are_read_once_for_all_examples(metric: str, times: int, model: Lm) -> None:
    """With choices once for the gold outputs, once for the choices, once for their priors, however many examples."""
    seen: list[tuple[int, int]] = []
    handle = model.model.register_forward_pre_hook(
        lambda _, __, given: seen.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    examine(model, ASKED, metric, max_new_tokens=8, shots=SHOTS)
    handle.remove()
    tokens = len(prompt_text(model.tokenizer, SHOTS[0], SHOTS)) - len(prompt_text(model.tokenizer, SHOTS[0]))
    long = [rows for rows, length in seen if length > 100]
    assert tokens > 100
    assert long == [1] * times
