"""The shared beginning: computed once, it gives the logits and gradients of every row computed by itself."""

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from hubexpert.lm import Encoded, Lm
from hubexpert.reading.prefix import last_logits, shared
from tests import tiny

FIRST = tuple(range(40, 60))


def encoded(*answers: int) -> list[Encoded]:
    return [Encoded((*FIRST, 100 + i, *range(70, 70 + 3 * i)), tuple(range(90, 90 + n))) for i, n in enumerate(answers)]


@pytest.fixture
def model() -> Lm:
    """The tiny base."""
    return Lm(tiny.model(), tiny.tokenizer())


def test_the_beginning_ends_before_the_last_token_of_any_prompt(model: Lm) -> None:
    """That token predicts the answer's first; a prompt which is the beginning of the others keeps it for itself."""
    assert shared(model, encoded(1, 2, 3)) == len(FIRST)
    assert shared(model, [Encoded(FIRST, (1,)), *encoded(2)]) == len(FIRST) - 1
    assert shared(model, [Encoded(FIRST, (1,)), Encoded((5, *FIRST), (1,))]) == 0


def test_nothing_is_shared_where_rows_are_cut_or_states_are_of_another_kind(model: Lm) -> None:
    """Rows beyond the context lose their beginning; a sliding window forgets it."""
    assert shared(model, [*encoded(1), Encoded(FIRST, (7,) * 512)]) == 0
    config = MistralConfig(
        vocab_size=258, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=8,
    )  # fmt: skip
    assert shared(Lm(MistralForCausalLM(config).eval(), tiny.tokenizer()), encoded(1, 2)) == 0


def test_logits_and_gradients_are_those_of_every_row_by_itself(model: Lm) -> None:
    """Whatever the lengths: padding stands between the beginning and the rest."""
    examples = encoded(2, 4, 2, 7)
    rows = [(*e.prompt, *e.answer) for e in examples]
    layer = model.model.model.layers[0].self_attn.v_proj.weight
    found, gradients = [], []
    for begins in (0, shared(model, examples)):
        logits = last_logits(model, rows, 3, begins)
        logits.square().sum().backward()
        found.append(logits.detach())
        gradients.append(layer.grad.clone())
        layer.grad = None
    alone = torch.stack([model.model(torch.tensor([row])).logits[0, -3:] for row in rows]).detach()
    assert tiny.error(found[0], alone) < 1e-5
    assert tiny.error(found[1], alone) < 1e-5
    assert tiny.error(gradients[1], gradients[0]) < 1e-4
