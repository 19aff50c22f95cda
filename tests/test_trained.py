"""What is trained starts from the same weights every time; learning rate and epochs are chosen by what was left out."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from hubexpert.experts.adapted import folds
from hubexpert.factors import read_factors
from hubexpert.lm import Lm, encode, mean_nll
from hubexpert.moe.adapter import gated_layers
from hubexpert.recipe import TrainSection
from hubexpert.records import Example, Origin, Source, TrainingExample, as_lesson
from hubexpert.start import Start
from hubexpert.train import train
from hubexpert.trained import (
    Lesson,
    encode_all,
    encode_lesson,
    fresh_start,
    mixture_start,
    opened,
    single_start,
    trained,
)
from hubexpert.tune import Fold, tune
from hubexpert.workspace import Journal
from tests import tiny

SHOTS = tuple(Example(input=f"{'ab'[i % 2]}{i}", output=("left", "right")[i % 2]) for i in range(12))


ROWS = Source(repo="o/rows", revision="0" * 40, repo_type="dataset")
ADDED = tuple(
    TrainingExample(
        example=Example(input=f"b{i}", output="right"),
        origin=Origin(method="select", source=ROWS, config="default", split="train", row=i, closeness=0.5),
        weight=1.5 - i / 2,
    )
    for i in range(3)
)


@pytest.fixture
def model() -> Lm:
    return Lm(tiny.model(), tiny.tokenizer())


def lesson(folder: Path, **settings: Any) -> Lesson:
    section = TrainSection(
        **{"epochs": 3, "learning_rate": 1e-2, "folds": 0, "shared_rank": 4, "batch_size": 4, **settings}
    )
    return Lesson(as_lesson(SHOTS), section, 0, Journal(folder / "tuning.jsonl"), folder / "checkpoints", quiet=True)


def starts(model: Lm, folder: Path, learned: Lesson) -> dict[str, Start]:
    factors = [read_factors(tiny.lora(folder / str(i), seed=i, r=4 + i)) for i in range(2)]
    mixture = mixture_start(model, factors, learned)
    return {
        "mixture": mixture,
        "single": single_start(factors[0]),
        "fresh": fresh_start(model, mixture.wide, seed=0),
    }


def rows_read(form: Lm) -> list[int]:
    """How many rows every pass through the model has, from now on."""
    seen: list[int] = []
    form.model.register_forward_pre_hook(
        lambda _, __, given: seen.append(given["input_ids"].shape[0]), with_kwargs=True
    )
    return seen


@pytest.mark.parametrize("kind", ["mixture", "single", "fresh"])
def test_a_start_is_not_changed_by_training(kind: str, model: Lm, tmp_path: Path) -> None:
    """Opened again it begins where it began: nothing of a fold's training is left for the next, or for the last."""
    learned = lesson(tmp_path)
    start = starts(model, tmp_path, learned)[kind]
    before = {m: (start.wide.a[m].clone(), start.wide.b[m].clone()) for m in start.wide.a}
    routers = {m: router.clone() for m, router in start.routers.items()}
    encoded = encode_all(model, SHOTS)
    untrained = mean_nll(model, encoded)
    ends = []
    for _ in range(2):
        with opened(model, start, learned.section) as form:
            begins = mean_nll(form, encoded)
            train(form, encoded, learned.section, None, seed=0, label="", quiet=True)
            ends.append(mean_nll(form, encoded))
        assert mean_nll(model, encoded) == untrained
        assert sum(ends[-1]) < sum(begins) - 1
    assert ends[0] == ends[1]
    for module, (a, b) in before.items():
        assert torch.equal(start.wide.a[module], a)
        assert torch.equal(start.wide.b[module], b)
    assert all(torch.equal(start.routers[module], router) for module, router in routers.items())


def test_training_leaves_nothing_where_it_runs(model: Lm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned = lesson(tmp_path / "lesson", epochs=1)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with opened(model, starts(model, tmp_path / "start", learned)["fresh"], learned.section) as form:
        train(form, encode_all(model, SHOTS), learned.section, None, seed=0, label="", quiet=True)
    assert list((tmp_path / "here").iterdir()) == []


def test_a_weight_multiplies_an_example_s_loss(model: Lm, tmp_path: Path) -> None:
    """The loss is Σ weight · NLL over the answers' tokens, and one step goes where that sum's gradient says."""
    learned = lesson(tmp_path, batch_size=len(SHOTS), epochs=1)
    start = starts(model, tmp_path, learned)["fresh"]
    weights = torch.linspace(0.25, 1.75, len(SHOTS))
    encoded = [replace(e, weight=float(w)) for e, w in zip(encode_all(model, SHOTS), weights, strict=True)]
    with opened(model, start, learned.section) as form:
        nlls = torch.tensor(mean_nll(form, encoded))
        tokens = torch.tensor([len(e.answer) for e in encoded])
        losses = train(form, encoded, learned.section, None, seed=0, label="", quiet=True)
    assert losses[0] == pytest.approx(float((weights * nlls * tokens).sum() / tokens.sum()), rel=1e-3)
    assert losses[0] != pytest.approx(float((nlls * tokens).sum() / tokens.sum()), rel=1e-2)


@pytest.mark.parametrize("added", [pytest.param(0, marks=pytest.mark.slow), 3])
def test_tuning_agrees_with_a_loop_over_folds(model: Lm, tmp_path: Path, added: int) -> None:
    """Each shot's likelihood is that under a training, from the start, on the folds without it; the best mean wins.

    What is added to the shots is learned from in every training, and asked in none.
    """
    learned = lesson(tmp_path, learning_rate=[1e-4, 1e-2], folds=3)
    learned = replace(learned, examples=(*learned.examples, *ADDED[:added]))
    start = starts(model, tmp_path, learned)["fresh"]
    with trained(model, start, learned, "a fresh LoRA", "fresh") as made:
        found = made.tuning
    encoded = encode_all(model, SHOTS)
    means = {}
    for rate in (1e-4, 1e-2):
        for epochs in (1, 2, 3):
            told = []
            for part in folds(len(SHOTS), 3, seed=0):
                others = [e for i, e in enumerate(encoded) if i not in part] + encode_lesson(model, learned)[
                    len(SHOTS) :
                ]
                with opened(model, start, learned.section) as form:
                    train(
                        form,
                        others,
                        learned.section,
                        None,
                        seed=0,
                        label="",
                        learning_rate=rate,
                        stop=epochs,
                        quiet=True,
                    )
                    told += [math.exp(-nll) for nll in mean_nll(form, [encoded[i] for i in part])]
            means[rate, epochs] = sum(told) / len(told)
    for trial in found.trials:
        wanted = [means[trial.learning_rate, epochs] for epochs in (1, 2, 3)]
        assert trial.likelihoods == pytest.approx(wanted, abs=1e-5)
    assert (found.learning_rate, found.epochs) == max(means, key=lambda pair: means[pair])
    assert found.learning_rate == 1e-2


def test_a_finished_fold_is_not_trained_again(model: Lm, tmp_path: Path) -> None:
    """The journal holds one entry a rate and fold; with all of them there, nothing is opened."""
    learned = lesson(tmp_path, learning_rate=[1e-3, 1e-2], folds=2, epochs=2)
    start = starts(model, tmp_path, learned)["single"]
    encoded = encode_all(model, SHOTS)

    def tuned(opening: Any) -> Any:
        how: dict[str, Any] = {"groups": learned.groups, "seed": 0, "label": "", "quiet": True}
        return tune(opening, encoded, learned.section, learned.journal, "x", **how)

    first = tuned(lambda: opened(model, start, learned.section))
    assert len(learned.journal.read()) == 4

    def never() -> Any:
        raise AssertionError("it was opened again")

    assert tuned(never) == first


def test_what_is_learned_of_one_shot_is_left_out_together(model: Lm, tmp_path: Path) -> None:
    """With three rationales of every question, a fold holds all three or none."""
    told = [shot.model_copy(update={"rationale": f"why {n}"}) for shot in SHOTS for n in range(3)]
    learned = replace(lesson(tmp_path, learning_rate=[1e-3], folds=2, epochs=1), examples=as_lesson(told))
    assert [shot.input for shot in learned.questions] == [shot.input for shot in SHOTS]
    seen: list[Fold] = []

    def elsewhere(folds: Sequence[Fold]) -> None:
        seen.extend(folds)
        learned.journal.extend({fold.entry: [[0.5]] * len(fold.part) for fold in folds})

    def never() -> Any:
        raise AssertionError("it was opened here")

    encoded = encode_all(model, told)
    how: dict[str, Any] = {"groups": learned.groups, "seed": 0, "label": "", "elsewhere": elsewhere, "quiet": True}
    tune(never, encoded, learned.section, learned.journal, "x", **how)
    assert sorted(place for fold in seen for place in fold.part) == list(range(len(told)))
    for fold in seen:
        assert {place // 3 for place in fold.part} == {place // 3 for place in fold.part if place % 3 == 2}


def test_one_rate_without_folds_is_taken_as_it_is(model: Lm, tmp_path: Path) -> None:
    learned = lesson(tmp_path)
    with trained(model, starts(model, tmp_path, learned)["fresh"], learned, "a fresh LoRA", "x") as made:
        assert (made.tuning.learning_rate, made.tuning.epochs, made.tuning.folds) == (1e-2, 3, 0)
        assert len(made.losses) == 3


def test_a_fresh_lora_has_as_many_parameters_as_the_mixture(model: Lm, tmp_path: Path) -> None:
    learned = lesson(tmp_path, shared_rank=8)
    made = starts(model, tmp_path, learned)
    sizes = {
        name: sum(t.numel() for t in (*start.wide.a.values(), *start.wide.b.values())) for name, start in made.items()
    }
    assert sizes["fresh"] == pytest.approx(sizes["mixture"], rel=0.1)
    assert made["fresh"].wide.a.keys() == made["mixture"].wide.a.keys()


@pytest.mark.parametrize("parts", [("router",), ("experts",), ("router", "experts")])
def test_only_what_is_named_learns(parts: tuple[str, ...], model: Lm, tmp_path: Path) -> None:
    learned = lesson(tmp_path, train=parts, epochs=1)
    start = starts(model, tmp_path, learned)["mixture"]
    with opened(model, start, learned.section) as form:
        train(form, encode_all(model, SHOTS), learned.section, None, seed=0, label="", quiet=True)
        for module, (gate, b) in gated_layers(form.model).items():
            assert torch.equal(gate.router, start.routers[module]) == ("router" not in parts)
            assert torch.equal(gate.weight, start.wide.a[module]) == ("experts" not in parts)
            assert torch.equal(b.weight, start.wide.b[module]) == ("experts" not in parts)


def test_routers_may_learn_faster(model: Lm, tmp_path: Path) -> None:
    """`router_rate` multiplies their learning rate and no other: their first step of AdamW is that much longer."""
    moved = {}
    for factor in (1.0, 5.0):
        learned = lesson(tmp_path, epochs=1, batch_size=12, router_rate=factor, learning_rate=1e-4)
        start = starts(model, tmp_path, learned)["mixture"]
        with opened(model, start, learned.section) as form:
            train(form, encode_all(model, SHOTS), learned.section, None, seed=0, label="", quiet=True)
            module = "model.layers.1.self_attn.v_proj"
            gate, _ = gated_layers(form.model)[module]
            pairs = ((gate.router, start.routers[module]), (gate.weight, start.wide.a[module]))
            moved[factor] = [float((now.detach() - was).abs().mean()) for now, was in pairs]
    assert moved[5.0][0] / moved[1.0][0] == pytest.approx(5, rel=0.05)
    assert moved[5.0][1] == pytest.approx(moved[1.0][1], rel=1e-3)


@pytest.mark.parametrize("balance", [0.0, 1.0])
def test_gradient_checkpointing_changes_nothing(balance: float, model: Lm, tmp_path: Path) -> None:
    """Nor where the loss also holds what the gates did, which is computed once more with the rest."""
    ends = []
    for checkpointing in (False, True):
        learned = lesson(tmp_path, balance=balance, gradient_checkpointing=checkpointing)
        start = starts(model, tmp_path, learned)["mixture"]
        with opened(model, start, learned.section) as form:
            train(form, encode_all(model, SHOTS), learned.section, None, seed=0, label="", quiet=True)
            ends.append({m: gate.router.detach().clone() for m, (gate, _) in gated_layers(form.model).items()})
    assert all(tiny.error(router, ends[1][module]) < 1e-4 for module, router in ends[0].items())


def test_what_prompts_share_is_read_once_and_changes_nothing(model: Lm, tmp_path: Path) -> None:
    """Training with the prompts' common beginning computed once a step ends where training without it ends."""
    shots = tuple(e.model_copy(update={"instruction": "Sort the letter."}) for e in SHOTS)
    ends = []
    for checkpointing in (False, True):  # with gradient checkpointing nothing is shared
        learned = lesson(tmp_path, gradient_checkpointing=checkpointing)
        start = starts(model, tmp_path, learned)["mixture"]
        with opened(model, start, learned.section) as form:
            seen = rows_read(form)
            encoded = [encode(model.tokenizer, e, e.output) for e in shots]
            train(form, encoded, learned.section, None, seed=0, label="", quiet=True)
            ends.append({m: gate.weight.detach().clone() for m, (gate, _) in gated_layers(form.model).items()})
        assert (1 in seen) is not checkpointing
    for module, weight in ends[0].items():
        assert tiny.error(weight, ends[1][module]) < 1e-3


def test_what_starts_elsewhere_does_not_go_on_from_here(model: Lm, tmp_path: Path) -> None:
    """Checkpoints are those of one start: another best single expert begins at its own weights."""
    learned, encoded, ends = lesson(tmp_path), encode_all(model, SHOTS), []
    first, second = (
        single_start(read_factors(tiny.lora(tmp_path / str(scale), seed=0, scale=scale))) for scale in (0.1, 0.4)
    )
    for start, key, folder in ((first, "a", "x"), (second, "b", "x"), (second, "b", "y")):
        with trained(model, start, replace(learned, checkpoints=tmp_path / folder), "the best", key) as made:
            ends.append(mean_nll(made.model, encoded))
    assert ends[1] == ends[2] != ends[0]
