"""The training of a reranker: it learns, goes on where it was killed, and says when it did not learn."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from hubexpert.kard.report import recalls
from hubexpert.recipe import KardSection
from hubexpert.records import RerankerKind, RerankerRecord
from hubexpert.reranker.candidates import Pool, gather
from hubexpert.reranker.models import start
from hubexpert.reranker.rank import order, rerank
from hubexpert.reranker.train import pace, train
from tests.reranker.making import Bm25, animals, translated

SECTION = KardSection(candidates=6, epochs=3, learning_rate=3e-3, sharpness=(0.1, 0.2), way=1)


def world(count: int, depth: int = 50) -> tuple[Bm25, list[Pool]]:
    questions, rationales, facts = translated(count, seed=1)
    known = Bm25(facts)
    return known, gather(questions, rationales, known.search, known.scores, depth=depth)


@pytest.mark.parametrize("kind", ["bi", "cross", "late"])
def test_the_divergence_falls_on_questions_that_were_not_trained_on(
    kind: RerankerKind, tiny: Path, tmp_path: Path
) -> None:
    """A question and its facts share no word; a tenth of the questions watches."""
    known, pools = world(200)
    reranker = start(str(tiny), kind, seed=0, device="cpu")
    record = train(reranker, pools, known.read, SECTION, tmp_path, seed=0, quiet=True)
    assert record.before is not None
    assert record.after is not None
    assert record.after < 0.9 * record.before
    assert record.carried_before is not None
    assert record.carried_after is not None
    assert record.learned == (record.carried_after > record.carried_before)
    assert record.learned or kind == "cross"  # whose head has learned nothing at its start
    assert (record.questions, record.held_out) == (len(pools) - len(pools) // 10, len(pools) // 10)
    assert len(record.losses) == 3
    assert record.losses[-1] < record.losses[0]
    assert not reranker.model.training
    assert "KL" in record.sentence


def test_a_training_that_was_killed_ends_as_if_it_had_not_been(tiny: Path, tmp_path: Path) -> None:
    """Killed in its second epoch it loses that epoch and no more; the weights and the record are the same."""
    known, pools = world(40, 40)
    asked = 0

    def trained(folder: Path, *, killed_at: int | None) -> tuple[RerankerRecord, dict[str, torch.Tensor]]:
        nonlocal asked
        asked = 0

        def read(ids: Sequence[int]) -> list[str]:
            nonlocal asked
            asked += 1
            if asked == killed_at:
                raise KeyboardInterrupt
            return known.read(ids)

        reranker = start(str(tiny), "bi", seed=0, device="cpu")
        record = train(reranker, pools, read, SECTION, folder, seed=0, quiet=True)
        return record, reranker.model.state_dict()

    record, weights = trained(tmp_path / "whole", killed_at=None)
    questions, watched = len(pools) - len(pools) // 10, len(pools) // 10
    assert asked == 3 * questions + 4 * watched  # each watches twice before and twice after: KL, and order
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", killed_at=2 * watched + questions + questions // 2)
    again, resumed = trained(tmp_path / "killed", killed_at=None)
    assert asked == 2 * questions + 4 * watched
    assert again == record
    assert all(torch.equal(value, resumed[name]) for name, value in weights.items())


def test_the_weights_go_part_of_the_way(tiny: Path, tmp_path: Path) -> None:
    """From those at the start to those trained, a quarter of it; a training that is killed does not notice."""
    known, pools = world(9)  # none watches, so what was trained is used

    def trained(way: float) -> dict[str, torch.Tensor]:
        reranker = start(str(tiny), "bi", seed=0, device="cpu")
        section = SECTION.model_copy(update={"way": way})
        train(reranker, pools, known.read, section, tmp_path, seed=0, quiet=True)
        return reranker.model.state_dict()

    at_first, whole, part = start(str(tiny), "bi", seed=0, device="cpu").model.state_dict(), trained(1), trained(0.25)
    assert not all(torch.equal(whole[name], value) for name, value in at_first.items())
    for name, value in at_first.items():
        torch.testing.assert_close(part[name], value + (whole[name] - value) / 4)


def test_a_reranker_that_did_not_learn_is_as_it_was(tiny: Path, tmp_path: Path) -> None:
    """A learning rate that destroys it: the record says so, and the weights are those at the start."""
    known, pools = world(40)
    reranker = start(str(tiny), "bi", seed=0, device="cpu")
    at_first = {name: value.clone() for name, value in reranker.model.state_dict().items()}
    record = train(
        reranker, pools, known.read, SECTION.model_copy(update={"learning_rate": 50.0}), tmp_path, seed=0, quiet=True
    )
    assert not record.learned
    assert "did not learn" in record.sentence
    assert all(torch.equal(value, at_first[name]) for name, value in reranker.model.state_dict().items())


@pytest.mark.parametrize(("count", "held_out"), [(0, 0), (1, 0), (9, 0), (10, 1)])
def test_few_questions_hold_none_out(count: int, held_out: int, tiny: Path, tmp_path: Path) -> None:
    """From ten on some watch; without questions nothing is trained."""
    known, pools = world(40)
    reranker = start(str(tiny), "bi", seed=0, device="cpu")
    section = SECTION.model_copy(update={"epochs": 1})
    record = train(reranker, pools[:count], known.read, section, tmp_path, seed=0, quiet=True)
    assert (record.questions, record.held_out) == (count - held_out, held_out)
    assert (record.before is None) == (held_out == 0)
    assert record.learned or count in (0, 10)


def test_a_question_that_watches_is_not_learned_from_by_another_of_its_rationales(tiny: Path, tmp_path: Path) -> None:
    """Each question has three rationales: all three learn, or all three watch, and questions are what is counted."""
    known, pools = world(20)
    reranker, read = start(str(tiny), "bi", seed=0, device="cpu"), 0

    def texts(ids: Sequence[int]) -> list[str]:
        nonlocal read
        read += len(ids) == SECTION.candidates
        return known.read(ids)

    record = train(reranker, pools * 3, texts, SECTION, tmp_path, seed=0, quiet=True)
    assert (record.questions, record.held_out) == (len(pools) - len(pools) // 10, len(pools) // 10)
    assert len(known.texts) > SECTION.candidates
    assert read == SECTION.epochs * 3 * record.questions + 2 * 3 * record.held_out


def test_the_learning_rate_rises_and_falls() -> None:
    """A tenth of the steps up to the whole of it, then down to nothing; one step is taken at the whole rate."""
    rates = [pace(step, 50) for step in range(50)]
    assert rates[4] == rates[5] == 1
    assert rates[:5] == sorted(rates[:5])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert 0 < rates[-1] < 0.01
    assert pace(0, 1) == 1


@pytest.mark.slow
def test_minilm_learns_words_that_bm25_cannot_know(tmp_path: Path) -> None:
    """Animals are asked for by invented names: BM25 is at chance, and trained it finds what it was not trained on."""
    questions, rationales, facts = animals()
    known = Bm25(facts)
    held = list(range(0, len(facts), 5))  # one of each animal, another question of each
    learned = [at for at in range(len(facts)) if at not in held]
    pools = gather(
        [questions[at] for at in learned], [rationales[at] for at in learned], known.search, known.scores, depth=20
    )
    asked, every = [questions[at] for at in held], np.arange(len(facts))
    reranker = start("packaged", "bi", seed=0, device="cpu")

    def found() -> list[list[int]]:
        return [order(each).tolist() for each in rerank(reranker, asked, [facts] * len(held))]

    gold = [{at} for at in held]
    by_words = np.mean(recalls([ids.tolist() for ids, _ in known.search(asked, len(every))], gold, 3))
    untrained = np.mean(recalls(found(), gold, 1))
    section = KardSection(candidates=6, epochs=10, learning_rate=4e-4, sharpness=(0.05, 0.2), prior=0, way=1, words=0)
    record = train(reranker, pools, known.read, section, tmp_path, seed=0, quiet=True)
    trained = np.mean(recalls(found(), gold, 1))
    assert by_words <= 0.5
    assert record.learned
    assert trained >= 0.75 > untrained, (by_words, untrained, trained)
