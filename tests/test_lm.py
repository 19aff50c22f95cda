"""NLL, generation and encoding against one example at a time, without padding."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from hubexpert import lm
from hubexpert.errors import HubExpertError
from hubexpert.factors import Factors, check_fit
from hubexpert.lm import Encoded, Lm
from hubexpert.prompt import prompt_text, user_turn
from hubexpert.reading import read
from hubexpert.recipe import Quantization, TrainSection
from hubexpert.records import Example
from hubexpert.slots import applied
from hubexpert.train import train
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


def test_a_models_own_generation_settings_do_not_bend_the_greedy_answer(model: Lm) -> None:
    """No penalty for repetition, and the end tokens of model and tokenizer both end an answer."""
    prompts = [lm.encode(model.tokenizer, e, e.output).prompt for e in EXAMPLES]
    plain = lm.generate(model, prompts, max_new_tokens=7)
    bent = Lm(tiny.model(), tiny.tokenizer())
    bent.model.generation_config.repetition_penalty = 5.0
    bent.model.generation_config.eos_token_id = 256
    assert lm.generate(bent, prompts, max_new_tokens=7) == plain
    assert bent.ends == [256, 257]


def test_what_exceeds_the_context_is_cut_from_the_left(model: Lm) -> None:
    """A shot longer than the model can read is no traceback."""
    long = Example(input="z" * 700, output="yes")
    encoded = lm.encode(model.tokenizer, long, long.output)
    assert len(encoded.prompt) > model.context == 512
    kept = Encoded(encoded.prompt[len(encoded.answer) - 512 :], encoded.answer)
    assert lm.mean_nll(model, [encoded]) == pytest.approx(lm.mean_nll(model, [kept]))
    assert lm.generate(model, [encoded.prompt], max_new_tokens=5) == lm.generate(
        model, [encoded.prompt[-507:]], max_new_tokens=5
    )


def test_a_base_with_code_of_its_own_is_not_run(tmp_path: Path) -> None:
    """`auto_map` in a configuration is a sentence, not a question on stdout."""
    folder = tiny.save_base(tmp_path / "base")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(HubExpertError, match="cannot be loaded"):
        lm.load_lm(folder)
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_without_an_end_is_an_error_with_a_fix(tmp_path: Path) -> None:
    """Answers could not end."""
    folder = tiny.save_base(tmp_path / "base")
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).exists():
            config = json.loads((folder / name).read_text())
            (folder / name).write_text(
                json.dumps({k: v for k, v in config.items() if k not in ("eos_token", "pad_token")})
            )
    with pytest.raises(HubExpertError, match="no token that ends a text"):
        lm.load_lm(folder)


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
        (Example(instruction="Do.", input="a", output="b", passages=("p", "q")), "Do.\nKnowledge: p\nKnowledge: q\na"),
        (Example(instruction="B or c?", input="x", output="b", choices=("b", "c")), "B or c?\nx"),
    ],
)
def test_the_user_turn_shows_choices_unless_the_text_names_them(example: Example, turn: str) -> None:
    """Instruction, passages, input; then options."""
    assert user_turn(example) == turn


def test_a_base_without_chat_template_gets_plain_text() -> None:
    """The prompt ends with a newline, and starts with the token that starts texts."""
    plain: Any = tiny.tokenizer()
    plain.chat_template = None
    assert prompt_text(plain, EXAMPLES[0]) == "<s>Say it.\nx\n"


def test_prompt_and_answer_are_the_same_tokens_wherever_they_are_used(model: Lm) -> None:
    """The answer ends with the end-of-turn token."""
    encoded = lm.encode(model.tokenizer, EXAMPLES[0], "yes")
    assert model.tokenizer.decode(encoded.prompt) == "<s>uSay it.\nx</s><s>a"
    assert encoded.answer[-1] == model.tokenizer.eos_token_id


def test_training_cuts_what_the_model_cannot_read(model: Lm, tmp_path: Path) -> None:
    """`max_length` may be longer than the context; the answer stays, the prompt is cut from the left."""
    trained = get_peft_model(tiny.model(), LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM"))
    trained.config.max_position_embeddings = 64
    seen: list[int] = []
    trained.register_forward_pre_hook(lambda _, __, given: seen.append(given["input_ids"].shape[1]), with_kwargs=True)
    long = lm.encode(model.tokenizer, Example(input="z" * 700, output="yes"), "yes")
    train(Lm(trained, model.tokenizer), [long], TrainSection(epochs=1), tmp_path, seed=0, label="", quiet=True)
    assert sum(seen) == 64, "in one pass, or what is shared first"


@pytest.mark.parametrize("quantize", ["4bit", "8bit"])
def test_a_quantised_base_reads_and_takes_adapters(quantize: Quantization, tmp_path: Path) -> None:
    """Loaded in 4 or 8 bits the base has other numbers, near those it had; adapters are added in float32."""
    pytest.importorskip("bitsandbytes")
    tiny.model(hidden=64).save_pretrained(tmp_path)  # 4-bit blocks have 64 weights
    tiny.tokenizer().save_pretrained(tmp_path)
    folder = tmp_path
    plain, small = lm.load_lm(folder, device="cpu"), lm.load_lm(folder, device="cpu", quantize=quantize)
    encoded = [lm.encode(plain.tokenizer, example, example.output) for example in EXAMPLES]
    before = lm.mean_nll(small, encoded)
    assert before != lm.mean_nll(plain, encoded)
    assert before == pytest.approx(lm.mean_nll(plain, encoded), rel=0.2)
    torch.manual_seed(0)
    module = "model.layers.0.self_attn.q_proj"
    factors = Factors({module: torch.randn(4, 64)}, {module: torch.randn(64, 4)})
    check_fit(small.model, factors)
    with applied(small.model, factors):
        changed = lm.mean_nll(small, encoded)
        assert [r.nll for r in read(small, encoded, max_new_tokens=4)[0]] == pytest.approx(changed, rel=1e-3)
    assert changed != before
    assert lm.mean_nll(small, encoded) == before


def test_quantising_without_bitsandbytes_says_how_to_get_it(tmp_path: Path) -> None:
    """A sentence and a fix, before anything is loaded."""
    if find_spec("bitsandbytes"):
        pytest.skip("it is installed")
    with pytest.raises(HubExpertError) as caught:
        lm.load_lm(tiny.save_base(tmp_path / "base"), quantize="4bit")
    assert "pip install bitsandbytes" in caught.value.fix
