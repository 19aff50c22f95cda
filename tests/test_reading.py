"""One pass over prompt and gold output against a forward pass and a generation of each example alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, MambaConfig, MistralConfig

from hubexpert import lm
from hubexpert.factors import read_factors
from hubexpert.lm import Encoded, Lm
from hubexpert.reading import Lanes, Reading, fitted, read, read_plainly, shareable
from hubexpert.reading.batches import partition, rows_at_once
from hubexpert.reading.choices import choice_nlls
from hubexpert.records import Example
from hubexpert.slots import applied, slots
from tests import tiny

LONGEST = 12


@pytest.fixture(scope="module")
def model() -> Lm:
    """The tiny base."""
    return Lm(tiny.model(), tiny.tokenizer())


def alone(model: Lm, example: Encoded, longest: int = LONGEST) -> Reading:
    """The slow, obvious reading of one example: one forward pass, then one token after the other, nothing kept."""
    with torch.inference_mode():
        logits = model.model(torch.tensor([[*example.prompt, *example.answer]])).logits[0].double()
        start = len(example.prompt)
        losses = [-logits[start + i - 1].log_softmax(-1)[token].item() for i, token in enumerate(example.answer)]
        tokens: list[int] = []
        while len(tokens) < longest:
            ids = torch.tensor([[*example.prompt, *tokens]])
            tokens.append(int(model.model(ids).logits[0, -1].argmax()))
            if tokens[-1] in model.ends:
                tokens.pop()
                break
    return Reading(sum(losses) / len(losses), model.tokenizer.decode(tokens, skip_special_tokens=True))


def agree(got: list[Reading], wanted: list[Reading]) -> None:
    assert [reading.text for reading in got] == [reading.text for reading in wanted]
    assert [reading.nll for reading in got] == pytest.approx([reading.nll for reading in wanted], rel=1e-4)


def asked(model: Lm, instruction: str = "Say it.", count: int = 9) -> list[Encoded]:
    """Examples of many lengths; of every third the gold output is the greedy answer's beginning, or all of it."""
    made = []
    for i in range(count):
        example = Example(instruction=instruction, input="x" * (3 * i % 20 + 1) + str(i), output="y" * (i + 1))
        encoded = lm.encode(model.tokenizer, example, example.output)
        if i % 3:
            text = alone(model, encoded).text
            output = text if i % 3 == 1 else f"{text[:4]}zz"
            encoded = lm.encode(model.tokenizer, example, output)
        made.append(encoded)
    return made


def test_readings_agree_with_one_example_at_a_time(model: Lm) -> None:
    """Shared beginnings, drafts, batches, padding and joined caches change nothing."""
    examples = asked(model)
    wanted = [alone(model, example) for example in examples]
    assert len({reading.text for reading in wanted}) > 3
    agree(read(model, examples, max_new_tokens=LONGEST)[0], wanted)
    agree(read_plainly(model, examples, max_new_tokens=LONGEST), wanted)


def test_prompts_without_a_common_beginning_read_the_same(model: Lm) -> None:
    """Nothing to share is no special case, nor is a single example."""
    texts = ["abc def", "xyz", "q"]
    examples = [Encoded(tuple(text.encode()), (*b"ok", 257)) for text in texts]
    agree(read(model, examples, max_new_tokens=LONGEST)[0], [alone(model, example) for example in examples])
    agree(read(model, examples[:1], max_new_tokens=LONGEST)[0], [alone(model, examples[0])])


def test_equal_prompts_read_the_same(model: Lm) -> None:
    """Where whole prompts are shared, each keeps its last token to itself."""
    prompt = tuple(b"the very same question for all")
    examples = [Encoded(prompt, (*answer, 257)) for answer in (b"yes", b"no", b"perhaps it is")]
    agree(read(model, examples, max_new_tokens=LONGEST)[0], [alone(model, example) for example in examples])


def test_an_answer_that_is_enough_is_not_gone_on_with(model: Lm) -> None:
    """What is there is a beginning of the whole answer, and at least what was asked for."""
    examples = asked(model)
    whole = read(model, examples, max_new_tokens=LONGEST)[0]
    some = read(model, examples, max_new_tokens=LONGEST, enough=lambda _, text: len(text) >= 2)[0]
    assert [reading.nll for reading in some] == [reading.nll for reading in whole]
    for short, long in zip(some, whole, strict=True):
        assert long.text.startswith(short.text)
        assert len(short.text) >= min(2, len(long.text))
    assert any(len(short.text) < len(long.text) for short, long in zip(some, whole, strict=True))


def test_a_character_cut_short_is_never_enough(model: Lm) -> None:
    """The first byte of a character is not shown as the answer so far."""
    seen: list[str] = []

    def look(_index: int, text: str) -> bool:
        seen.append(text)
        return False

    read(model, asked(model), max_new_tokens=LONGEST, enough=look)
    assert not [text for text in seen if text.endswith("\N{REPLACEMENT CHARACTER}")]


def test_likelihoods_alone_generate_nothing(model: Lm) -> None:
    """With no new tokens there are no texts."""
    examples = asked(model)
    got = read(model, examples, max_new_tokens=0)[0]
    assert {reading.text for reading in got} == {""}
    whole = read(model, examples, max_new_tokens=LONGEST)[0]
    assert [reading.nll for reading in got] == [reading.nll for reading in whole]


def test_several_adapters_in_a_batch_read_as_each_alone(model: Lm, tmp_path: Path) -> None:
    """Adapters of different ranks and targets share batches without touching each other, also while generating."""
    settings_of: tuple[dict[str, Any], ...] = (
        {"r": 4},
        {"r": 8, "target_modules": "all-linear"},
        {"r": 2, "use_rslora": True},
    )
    adapters = [read_factors(tiny.lora(tmp_path / str(i), seed=i, **s)) for i, s in enumerate(settings_of)]
    examples = asked(model)
    with slots(model.model) as places:
        places.put(adapters)
        together = read(model, examples, max_new_tokens=LONGEST, lanes=Lanes(3, places.assign))
    for adapter, got in zip(adapters, together, strict=True):
        with applied(model.model, adapter):
            agree(got, [alone(model, example) for example in examples])
    assert len({tuple(reading.text for reading in got) for got in together}) == 3


def test_an_adapter_that_breaks_its_numbers_breaks_no_other(model: Lm, tmp_path: Path) -> None:
    """One lane's infinities stay in that lane."""
    good = read_factors(tiny.lora(tmp_path / "good", seed=1))
    wild = read_factors(tiny.rewrite(tiny.lora(tmp_path / "wild", seed=2), lambda tensor: tensor * 1e30))
    examples = asked(model)
    with slots(model.model) as places:
        places.put([wild, good])
        together = read(model, examples, max_new_tokens=LONGEST, lanes=Lanes(2, places.assign))
    assert not all(torch.isfinite(torch.tensor([reading.nll for reading in together[0]])))
    with applied(model.model, good):
        agree(together[1], [alone(model, example) for example in examples])


def test_slots_leave_the_base_as_it_was(model: Lm, tmp_path: Path) -> None:
    """Empty slots add nothing, and none stay."""
    examples = asked(model)
    before = read(model, examples, max_new_tokens=LONGEST)
    with slots(model.model) as places:
        places.put([read_factors(tiny.lora(tmp_path / "a", seed=3))])
        assert read(model, examples, max_new_tokens=LONGEST) != before
        places.put([])
        assert read(model, examples, max_new_tokens=LONGEST) == before
    assert not [module for module in model.model.modules() if module._forward_hooks]


class Memory:
    """A model that cannot take more than `most` tokens at once, as a device whose memory is full."""

    def __init__(self, model: object, most: int) -> None:
        self.model, self.most, self.sizes = model, most, []  # type: ignore[var-annotated]

    def __getattr__(self, name: str) -> object:
        return getattr(self.model, name)

    def __call__(self, **inputs: torch.Tensor) -> object:
        size = inputs["input_ids"].numel()
        if size > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate all of it.")
        self.sizes.append(size)
        return self.model(**inputs)  # type: ignore[operator]


def test_batches_shrink_where_memory_runs_out(model: Lm) -> None:
    """The same readings from smaller batches; a single row that does not fit is an error."""
    examples = asked(model)
    wanted = read(model, examples, max_new_tokens=LONGEST)[0]
    small = Memory(model.model, 100)
    agree(read(Lm(small, model.tokenizer), examples, max_new_tokens=LONGEST)[0], wanted)
    assert max(small.sizes) <= 100
    with pytest.raises(torch.OutOfMemoryError):
        read(Lm(Memory(model.model, 5), model.tokenizer), examples, max_new_tokens=LONGEST)


def test_models_with_a_state_are_read_plainly() -> None:
    """A Mamba keeps a state in place of keys and values: forward pass and generation, the same numbers."""
    torch.manual_seed(0)
    config = MambaConfig(vocab_size=258, hidden_size=32, num_hidden_layers=2, eos_token_id=257, pad_token_id=257)
    mamba = Lm(AutoModelForCausalLM.from_config(config).eval(), tiny.tokenizer())
    examples = asked(Lm(tiny.model(), tiny.tokenizer()))
    assert not shareable(mamba, 10)
    read_alone = [read_plainly(mamba, [example], max_new_tokens=LONGEST)[0] for example in examples]
    got = read(mamba, examples, max_new_tokens=LONGEST)[0]
    assert [reading.nll for reading in got] == pytest.approx([reading.nll for reading in read_alone], rel=1e-3)
    with pytest.raises(ValueError, match="one adapter"):
        read(mamba, examples, max_new_tokens=LONGEST, lanes=Lanes(2, lambda owner: None))


def test_a_window_of_attention_is_shared_only_while_it_is_not_full() -> None:
    """What slides out of a window is not known when keys and values are kept: then everything is read plainly."""
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=64,
        eos_token_id=257,
    )
    mistral = Lm(AutoModelForCausalLM.from_config(config).eval(), tiny.tokenizer())
    assert shareable(mistral, 64)
    assert not shareable(mistral, 65)
    examples = asked(Lm(tiny.model(), tiny.tokenizer()), count=3)
    for more in ("Say it.", "Say it. " * 12):
        longer = [Encoded((*more.encode(), *example.prompt), example.answer) for example in examples]
        agree(read(mistral, longer, max_new_tokens=LONGEST)[0], [alone(mistral, example) for example in longer])


@given(
    st.lists(st.integers(1, 600), min_size=1, max_size=30),
    st.integers(0, 400),
    st.integers(0, 400),
    st.integers(2, 700),
)
def test_a_prompt_is_cut_from_the_left_to_the_context(answer: list[int], prompt: int, new: int, context: int) -> None:
    """Prompt and answer, gold or generated, fit; the prompt keeps its end and one token at least."""
    cut = fitted(Encoded(tuple(range(prompt + 1)), tuple(answer)), context, new)
    assert cut.prompt == tuple(range(prompt + 1))[-len(cut.prompt) :]
    assert len(cut.prompt) >= 1
    assert len(cut.prompt) + len(cut.answer) <= max(context, 2)
    assert len(cut.prompt) + new <= max(context, new + 1)


def slow_partition(lengths: list[int], budget: int, cost: int, most_rows: int) -> int:
    """The least cost of cutting sorted lengths into runs, by trying every way."""
    if not lengths:
        return 0
    return min(
        lengths[0] * size + cost + slow_partition(lengths[size:], budget, cost, most_rows)
        for size in range(1, len(lengths) + 1)
        if size == 1 or (lengths[0] * size <= budget and size <= most_rows)
    )


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), max_size=9), st.integers(1, 300), st.integers(0, 60), st.integers(1, 10))
def test_batches_pad_as_little_as_pays(lengths: list[int], budget: int, cost: int, most_rows: int) -> None:
    """Every row once, within the budget of tokens and rows, at the least cost that there is."""
    cut = partition(lengths, budget, cost, most_rows)
    assert sorted(index for batch in cut for index in batch) == list(range(len(lengths)))
    padded = [max(lengths[i] for i in batch) * len(batch) for batch in cut]
    assert all(size <= budget or len(batch) == 1 for size, batch in zip(padded, cut, strict=True))
    assert all(len(batch) <= most_rows for batch in cut)
    assert sum(padded) + cost * len(cut) == slow_partition(sorted(lengths, reverse=True), budget, cost, most_rows)


def test_fewer_rows_fit_in_memory_behind_a_long_beginning(model: Lm) -> None:
    """Its keys and values are copied for every row: thousands of tokens of shots would not fit a hundred times."""
    few, many = rows_at_once(model, 10**9), rows_at_once(model, 100)
    assert few == 1
    assert rows_at_once(model, 10_000) == pytest.approx(many / 100, rel=0.1)  # what is free changes a little


@pytest.mark.parametrize(("begins", "passes"), [("", 6), ("Many shots stand before every question. " * 5, 2)])
def test_choices_are_weighed_as_one_at_a_time(begins: str, passes: int, model: Lm) -> None:
    """The sum of the tokens' NLLs of every choice; the prompt is read once, or a long beginning that all share."""
    rows = [
        [Encoded(tuple(f"{begins}{i}: question {i}?".encode()), (*choice, 257)) for choice in (b"a", b"bcd", b"")]
        for i in "123"
    ]
    seen: list[int] = []
    handle = model.model.register_forward_pre_hook(
        lambda _, __, given: seen.append(given["input_ids"].numel()), with_kwargs=True
    )
    got = choice_nlls(model, rows)[0]
    handle.remove()
    assert len(seen) == passes
    for choices, found in zip(rows, got, strict=True):
        wanted = [alone(model, choice).nll * len(choice.answer) for choice in choices]
        assert list(found) == pytest.approx(wanted, rel=1e-4)
