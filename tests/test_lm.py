"""NLL, generation and encoding against one example at a time, without padding."""

from typing import Any

import pytest
import torch

from hubexpert import lm
from hubexpert.lm import Lm
from hubexpert.records import Example
from tests import tiny

EXAMPLES = [Example(instruction="Say it.", input="x" * (3 * i + 1), output="y" * (i + 1)) for i in range(9)]


@pytest.fixture(scope="module")
def model() -> Lm:
    """The tiny base."""
    return Lm(tiny.model(), tiny.tokenizer())


def test_mean_nll_agrees_with_a_loop_over_tokens(model: Lm) -> None:
    """Batches, left padding and sorting change nothing."""
    encoded = [lm.encode(model.tokenizer, e, e.output) for e in EXAMPLES]
    got = lm.mean_nll(model, encoded)
    for example, nll in zip(encoded, got, strict=True):
        with torch.inference_mode():
            logits = model.model(torch.tensor([[*example.prompt, *example.answer]])).logits[0].double()
        start = len(example.prompt)
        losses = [-logits[start + i - 1].log_softmax(-1)[token].item() for i, token in enumerate(example.answer)]
        assert nll == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_generation_agrees_with_one_prompt_at_a_time(model: Lm) -> None:
    """Greedy answers do not depend on their neighbours in the batch."""
    prompts = [lm.encode(model.tokenizer, e, e.output).prompt for e in EXAMPLES]
    got = lm.generate(model, prompts, max_new_tokens=7)
    alone = [lm.generate(model, [prompt], max_new_tokens=7)[0] for prompt in prompts]
    assert got == alone
    assert len(set(got)) > 1


def test_batches_hold_every_index_once_within_the_budget() -> None:
    """Longest first; a row longer than the budget still gets a batch of its own."""
    lengths = [5, 3000, 17, 1, 900, 900, 900, 2]
    found = list(lm.batches(lengths))
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    assert all(len(b) * max(lengths[i] for i in b) <= lm.TOKENS_IN_BATCH or len(b) == 1 for b in found)


@pytest.mark.parametrize(
    ("example", "turn"),
    [
        (Example(instruction="Do.", input="a", output="b"), "Do.\na"),
        (Example(input="a", output="b"), "a"),
        (Example(instruction="Do.", input="a", output="b", choices=("b", "c")), "Do.\na\nOptions:\n- b\n- c"),
        (Example(instruction="B or c?", input="x", output="b", choices=("b", "c")), "B or c?\nx"),
    ],
)
def test_the_user_turn_shows_choices_unless_the_text_names_them(example: Example, turn: str) -> None:
    """Instruction, newline, input; then options."""
    assert lm.user_turn(example) == turn


def test_a_base_without_chat_template_gets_plain_text(model: Lm) -> None:
    """The prompt ends with a newline, and starts with the token that starts texts."""
    plain: Any = tiny.tokenizer()
    plain.chat_template = None
    assert lm.prompt_text(plain, EXAMPLES[0]) == "<s>Say it.\nx\n"


def test_prompt_and_answer_are_the_same_tokens_wherever_they_are_used(model: Lm) -> None:
    """The answer ends with the end-of-turn token."""
    encoded = lm.encode(model.tokenizer, EXAMPLES[0], "yes")
    assert model.tokenizer.decode(encoded.prompt) == "<s>uSay it.\nx</s><s>a"
    assert encoded.answer[-1] == model.tokenizer.eos_token_id
