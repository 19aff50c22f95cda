"""What is watched: the divergence, and the order of what the question finds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hubexpert.recipe import KardSection
from hubexpert.reranker.candidates import Pool, gather
from hubexpert.reranker.models import Reranker, start
from hubexpert.reranker.train import train
from hubexpert.reranker.watch import Watched, watch
from tests.reranker.making import Bm25, translated

SECTION = KardSection(candidates=6, epochs=3, learning_rate=3e-3, sharpness=(0.1, 0.2), way=1)


def world(count: int, depth: int) -> tuple[Bm25, list[Pool]]:
    questions, rationales, facts = translated(count, seed=1)
    known = Bm25(facts)
    return known, gather(questions, rationales, known.search, known.scores, depth=depth)


def slow(reranker: Reranker, known: Bm25, pools: list[Pool]) -> float:
    """The mean share, one passage at a time: of those the question finds, the five of the highest cosine."""
    shares = []
    for pool in pools:
        asked = reranker.model.encode_query(pool.question)
        found = []
        for number, worth, is_found, share in zip(pool.ids, pool.scores, pool.asked, pool.found, strict=True):
            if is_found:
                passage = reranker.model.encode_document(known.texts[number])
                cosine = asked @ passage / np.linalg.norm(asked) / np.linalg.norm(passage)
                found.append((round(float(cosine), 5) + SECTION.words * float(share), -int(number), float(worth)))
        best = sum(sorted((worth for _, _, worth in found), reverse=True)[:5])
        if best:
            shares.append(sum(worth for _, _, worth in sorted(found, reverse=True)[:5]) / best)
    return sum(shares) / len(shares)


def test_what_the_first_five_carry_is_of_what_the_question_finds(tiny: Path) -> None:
    """Against a slow reference; questions that find nothing the rationale wants are left out."""
    known, pools = world(40, 12)
    reranker = start(str(tiny), "bi", seed=0, device="cpu")
    got = watch(reranker, reranker, pools, known.read, SECTION, 0)
    assert any(not pool.scores[pool.asked].any() for pool in pools)
    assert got.carried == pytest.approx(slow(reranker, known, pools), abs=0.02)
    assert got.carried is not None
    assert 0 < got.carried < 1


def test_a_model_that_tells_nothing_apart_has_not_the_order_of_the_rationale(tiny: Path) -> None:
    """Equal scores leave passages in the order of their numbers, not in that of the candidates."""
    _, pools = world(40, 50)
    reranker = start(str(tiny), "bi", seed=0, device="cpu")
    same = watch(reranker, reranker, pools, lambda ids: ["w1"] * len(ids), SECTION, 0)
    assert same.carried is not None
    assert same.carried < 0.5


def test_of_no_questions_nothing_is_known(tiny: Path) -> None:
    """Nor is what is carried, where questions find nothing that the rationale wants."""
    known, pools = world(40, 12)
    reranker = start(str(tiny), "bi", seed=0, device="cpu")
    assert watch(reranker, reranker, [], known.read, SECTION, 0) == Watched()
    blind = [replace(pool, asked=np.zeros_like(pool.asked)) for pool in pools]
    got = watch(reranker, reranker, blind, known.read, SECTION, 0)
    assert got.carried is None
    assert got.divergence is not None


@pytest.mark.parametrize(
    ("before", "after", "better"),
    [
        ((2.0, 0.5), (1.0, 0.6), True),
        ((2.0, 0.5), (1.0, 0.5), False),
        ((2.0, 0.5), (1.0, 0.4), False),
        ((2.0, 0.5), (2.0, 0.6), False),
        ((2.0, 0.5), (float("nan"), None), False),
        ((2.0, None), (1.0, None), True),
        ((None, None), (None, None), True),
    ],
)
def test_both_numbers_have_to_say_so(before: tuple[float, float], after: tuple[float, float], *, better: bool) -> None:
    assert Watched(*after).better_than(Watched(*before)) is better


def test_a_training_that_does_not_mend_the_order_is_not_used(tiny: Path, tmp_path: Path) -> None:
    """Where questions find five passages no order is better than another: the divergence falls, the start stays."""
    known, pools = world(100, 50)
    few = []
    for pool in pools:
        asked = np.zeros_like(pool.asked)
        asked[:5] = True
        few.append(replace(pool, asked=asked))
    reranker = start(str(tiny), "bi", seed=0, device="cpu")
    at_first = {name: value.clone() for name, value in reranker.model.state_dict().items()}
    record = train(reranker, few, known.read, SECTION, tmp_path, seed=0, quiet=True)
    assert record.before is not None
    assert record.after is not None
    assert record.after < record.before
    assert record.carried_before == pytest.approx(1)
    assert record.carried_after == pytest.approx(1)
    assert not record.learned
    assert "it is the starting model" in record.sentence
    assert "carry 1.000 of what they could before, 1.000 after" in record.sentence
    assert all(torch.equal(value, at_first[name]) for name, value in reranker.model.state_dict().items())
