"""Who contributes what, in a mixture where that is known: one expert solves the task, the others do nothing."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from hubexpert.examine import examine
from hubexpert.factors import read_factors
from hubexpert.lm import Encoded, Lm, continuations, encode
from hubexpert.moe.adapter import attach, gated_layers, load, save
from hubexpert.moe.contributions import contributions, heard
from hubexpert.moe.initial import random_routers
from hubexpert.moe.listen import fold_means, mean_gates
from hubexpert.moe.spoken import pieces, spoken
from hubexpert.moe.widen import linears, widen
from hubexpert.records import Contributions, Example, Source
from hubexpert.workspace import Journal
from tests import tiny
from tests.pipeline.world import INSTRUCTION, rows, solver

LONGEST = 8
TEST = [Example(instruction=INSTRUCTION, **row) for row in rows(24, 100)]


def source(name: str) -> Source:
    return Source(repo=f"tester/{name}", revision="0" * 40)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A solver, and two adapters too small to change an answer."""
    root = tmp_path_factory.mktemp("adapters")
    return {
        "solver": solver(root / "solver"),
        "useless": tiny.lora(root / "useless", seed=1, scale=1e-4),
        "idle": tiny.lora(root / "idle", seed=2, scale=1e-4),
    }


def mixture(folders: Sequence[Path], *, strength: float = 1.0) -> Lm:
    """Experts with equal gates for every token, each that many times as strong as it is alone."""
    base = tiny.model()
    factors = [read_factors(folder) for folder in folders]
    wide = widen(factors, linears(base, {s for f in factors for s in f.suffixes}), shared_rank=0, seed=1)
    model = attach(base, wide, random_routers(wide, seed=1), top_k=len(folders))
    for gate, b in gated_layers(model).values():
        gate.router.data.zero_()
        b.weight.data *= strength * len(folders)
    return Lm(model.requires_grad_(False).eval(), tiny.tokenizer())


def measured(model: Lm, names: Sequence[str], path: Path, *, most: int = 128) -> Contributions:
    return contributions(
        model,
        [source(name) for name in names],
        TEST,
        "exact_match",
        max_new_tokens=LONGEST,
        journal=Journal(path),
        key_parts={"files": list(names)},
        seed=0,
        most=most,
        quiet=True,
    )


def passes(model: Lm) -> list[int]:
    """Grows by one with every forward pass of the model."""
    counted: list[int] = []
    model.model.register_forward_pre_hook(lambda *_: counted.append(1))
    return counted


def test_the_expert_that_solves_the_task_has_all_the_value(folders: dict[str, Path], tmp_path: Path) -> None:
    """The useless have intervals that cover zero and claim no certainty; the values add up to the mixture's gain."""
    names = ["useless", "solver", "idle"]
    model = mixture([folders[name] for name in names])
    found = measured(model, names, tmp_path / "journal.jsonl")
    assert (found.n, found.coalitions, found.exact, found.metric) == (24, 8, True, "exact_match")
    assert [expert.source for expert in found.experts] == [source(name) for name in names]
    useless, best, idle = found.experts
    assert found.whole - found.empty > 0.8
    assert sum(expert.shapley for expert in found.experts) == pytest.approx(found.whole - found.empty)
    assert best.shapley == max(expert.shapley for expert in found.experts)
    assert best.low > 0.5
    assert best.loo_low > 0.5
    for expert in (useless, idle):
        assert expert.shapley == pytest.approx(0, abs=0.02)
        assert expert.low < -0.02 < 0.02 < expert.high
        assert expert.loo_low < 0 < expert.loo_high


def test_the_empty_group_is_the_base_and_the_whole_the_mixture(folders: dict[str, Path], tmp_path: Path) -> None:
    """`empty` and `whole` are what the two score by themselves, and afterwards every expert speaks again."""
    model = mixture([folders["solver"], folders["useless"]])
    found = measured(model, ["solver", "useless"], tmp_path / "journal.jsonl")
    whole = examine(model, TEST, "exact_match", max_new_tokens=LONGEST)[0].values
    assert found.whole == pytest.approx(sum(whole) / len(TEST))
    with heard(model.model, [0]):
        alone = examine(model, TEST, "exact_match", max_new_tokens=LONGEST)[0].values
    assert found.experts[1].leave_one_out == pytest.approx((sum(whole) - sum(alone)) / len(TEST))
    base = examine(Lm(tiny.model(), tiny.tokenizer()), TEST, "exact_match", max_new_tokens=LONGEST)[0].values
    assert found.empty == pytest.approx(sum(base) / len(TEST))


def test_two_copies_share_what_neither_is_missed_for(folders: dict[str, Path], tmp_path: Path) -> None:
    """Leave-one-out sees nothing where either would do; the Shapley values divide the gain equally."""
    model = mixture([folders["solver"], folders["solver"]], strength=0.5)
    found = measured(model, ["solver", "copy"], tmp_path / "journal.jsonl")
    one, other = found.experts
    assert one.shapley == pytest.approx(other.shapley)
    assert one.shapley == pytest.approx((found.whole - found.empty) / 2)
    assert one.low > 0.2
    assert abs(one.leave_one_out) < 0.1


def test_drawn_orders_add_up_too_and_are_no_certainty(folders: dict[str, Path], tmp_path: Path) -> None:
    """Where not all groups may be measured the record says so."""
    names = ["solver", "useless", "idle", "again"]
    model = mixture([folders["solver"], folders["useless"], folders["idle"], folders["solver"]], strength=0.5)
    found = measured(model, names, tmp_path / "journal.jsonl", most=15)
    assert not found.exact
    assert len(Journal(tmp_path / "journal.jsonl").read()) == found.coalitions <= 16
    assert sum(expert.shapley for expert in found.experts) == pytest.approx(found.whole - found.empty)
    assert found.whole - found.empty > 0.8
    for one in (found.experts[0], found.experts[3]):
        assert one.low < 0.5 < one.high


def test_a_killed_run_goes_on_and_measures_no_group_twice(folders: dict[str, Path], tmp_path: Path) -> None:
    """What was finished is read back; what was in hand is measured again; the result is that of one run."""
    names = ["solver", "useless"]
    model = mixture([folders[name] for name in names])
    counted = passes(model)
    wanted = measured(model, names, tmp_path / "whole.jsonl")
    needed = len(counted)

    class KilledError(Exception):
        pass

    def kill(*_: Any) -> None:
        if len(counted) == needed + needed // 2:
            raise KilledError

    handle = model.model.register_forward_pre_hook(kill)
    with pytest.raises(KilledError):
        measured(model, names, tmp_path / "killed.jsonl")
    handle.remove()
    finished = len(Journal(tmp_path / "killed.jsonl").read())
    assert 0 < finished < 4
    assert all(float(gate.spread.sum(1).min()) > 0 for gate, _ in gated_layers(model.model).values())  # all speak again
    with (tmp_path / "killed.jsonl").open("a") as file:
        file.write('{"key": "cut sho')
    before = len(counted)
    assert measured(model, names, tmp_path / "killed.jsonl") == wanted
    assert 0 < len(counted) - before < needed
    keys = [json.loads(line)["key"] for line in (tmp_path / "killed.jsonl").read_text().splitlines() if "}" in line]
    assert len(keys) == len(set(keys)) == 4
    before = len(counted)
    assert measured(model, names, tmp_path / "killed.jsonl") == wanted
    assert len(counted) == before


def test_another_mixture_shares_nothing_in_the_journal(folders: dict[str, Path], tmp_path: Path) -> None:
    """The key names what the values depend on."""
    journal = tmp_path / "journal.jsonl"
    useful = measured(mixture([folders["solver"]]), ["solver"], journal)
    useless = measured(mixture([folders["useless"]]), ["useless"], journal)
    assert useful.whole > useless.whole
    assert len(Journal(journal).read()) == 4


def test_a_mixture_of_other_experts_than_named_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 routed experts, not 2"):
        measured(mixture([folders["idle"]]), ["idle", "solver"], tmp_path / "journal.jsonl")


def test_the_mean_share_of_all_tokens_is_the_routing_share(folders: dict[str, Path], tmp_path: Path) -> None:
    """Token by token the gates add up to 1, and their mean over modules and tokens is what training measures.

    Also of a mixture that was folded, saved and loaded.
    """
    names = ["solver", "useless", "idle"]
    model = mixture([folders[name] for name in names])
    generator = torch.Generator().manual_seed(0)
    for gate, _ in gated_layers(model.model).values():
        gate.router.data = torch.randn(gate.router.shape, generator=generator)
        gate.top_k = 2
    example = TEST[0]
    (found,) = spoken(model, [example], max_new_tokens=LONGEST)
    prompt = encode(model.tokenizer, example, "").prompt
    (answer,) = continuations(model, [prompt], max_new_tokens=LONGEST)
    assert found.answer == len(prompt)
    assert len(found.tokens) == len(found.shares) == len(prompt) + len(answer)
    assert "".join(found.tokens) == model.tokenizer.decode([*prompt, *answer])
    assert all(sum(token) == pytest.approx(1, abs=1e-3) for token in found.shares)
    means = mean_gates(model, [Encoded(prompt, tuple(answer))])
    wanted = torch.stack(list(means.values())).mean(0).tolist()
    got = torch.tensor(found.shares).mean(0).tolist()
    assert got == pytest.approx(wanted, abs=1e-3)
    fold_means(model.model, means)
    save(model.model, tmp_path, base=tiny.BASE, experts=[source(name) for name in names])
    loaded = Lm(load(tmp_path, base=tiny.model()), tiny.tokenizer())
    assert spoken(loaded, [example], max_new_tokens=LONGEST)[0].tokens == found.tokens


def test_the_expert_that_is_heard_has_the_share(folders: dict[str, Path]) -> None:
    """A router that looks for one direction sends the tokens that have it to its expert, and the others elsewhere."""
    model = mixture([folders["useless"], folders["idle"]])
    direction = model.model.get_input_embeddings().weight[ord("!") - 33]  # "!" is the alphabet's first
    for module, (gate, _) in gated_layers(model.model).items():
        if ".layers.0.self_attn.q_proj" in module:
            gate.router.data[1] = 1e3 * direction
            gate.router.data[0] = -1e3 * direction
    (found,) = spoken(model, [Example(input="a!b!!", output="")], max_new_tokens=1)
    modules = len(gated_layers(model.model))
    by_piece = dict(zip(found.tokens, found.shares, strict=True))
    assert by_piece["!"][1] == pytest.approx(0.5 + 0.5 / modules, abs=1e-3)


def test_an_expert_on_the_output_layer_is_heard_at_every_token(folders: dict[str, Path], tmp_path: Path) -> None:
    """Its gate counts like any other, though an answer needs the last token's logits alone."""
    output = tiny.lora(tmp_path / "output", seed=3, target_modules=["lm_head"])
    model, example = mixture([folders["useless"], output]), TEST[0]
    (found,) = spoken(model, [example], max_new_tokens=1)
    assert len(found.shares) == len(found.tokens)
    prompt = encode(model.tokenizer, example, "").prompt
    (answer,) = continuations(model, [prompt], max_new_tokens=1)
    wanted = torch.stack(list(mean_gates(model, [Encoded(prompt, tuple(answer))]).values())).mean(0)
    assert torch.tensor(found.shares).mean(0).tolist() == pytest.approx(wanted.tolist(), abs=1e-3)


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "  two spaces\n\tand a tab",
        "naïve café",
        "数学 and 😀👩\u200d🚀",
        "<s>uhello</s>",
        "x\ufffdy\ufffd",
        "",
    ],
)
def test_the_pieces_of_bytes_are_the_text(text: str) -> None:
    """Put together they are the decoded whole; no piece holds half a character."""
    tokenizer = tiny.tokenizer()
    ids = tokenizer(text, add_special_tokens=False).input_ids
    found = pieces(tokenizer, ids)
    assert "".join(found) == text
    assert len(found) == len(ids)
    assert "\ufffd" in text or "\ufffd" not in "".join(found)


def test_a_character_stands_with_its_last_byte() -> None:
    tokenizer = tiny.tokenizer()
    ids = tokenizer("é!€", add_special_tokens=False).input_ids
    assert pieces(tokenizer, ids) == ["", "é", "!", "", "", "€"]
    assert pieces(tokenizer, ids[:-1]) == ["", "é", "!", "", "\ufffd"]  # an answer that was cut there
    assert "".join(pieces(tokenizer, [*ids[1:], *ids[1:]])) == tokenizer.decode([*ids[1:], *ids[1:]])


def test_spaces_before_words_are_kept_where_a_decoder_drops_the_first() -> None:
    """As SentencePiece tokenizers do: a word alone is decoded without the space before it."""
    words = ["▁the", "▁quick", "▁fox", "es", "▁", "!"]
    made = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="!"))
    made.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made)
    assert pieces(tokenizer, [0, 1, 2, 3, 5]) == ["the", " quick", " fox", "es", "!"]
