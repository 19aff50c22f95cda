"""Mixtures of adapters that are of no use for the task: the verdict must not tell anybody to ship one."""

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hubexpert.verdict import LABELS

if TYPE_CHECKING:
    from hubexpert.localhub import Store
    from hubexpert.records import Report


def judged(store: "Store", folder: Path, seed: int) -> "Report":
    """The whole comparison of a mixture of experts chosen by nothing, in a world of its own."""
    from hubexpert.evaluate import compare
    from hubexpert.recipe import TrainSection
    from hubexpert.workspace import Journal
    from tests.planted.world import mixed, useless

    pool = useless(store, folder / f"seed-{seed}", seed=seed)
    experts = random.Random(seed).sample(sorted(pool.adapters), 2)
    section = TrainSection(epochs=8, learning_rate=(1e-3, 5e-3), folds=2, shared_rank=4)
    contest = mixed(pool, experts, section, folder / f"mixture-{seed}", seed=seed)
    return compare(pool.model, contest, Journal(folder / f"evaluation-{seed}.jsonl"), removed=0)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_a_mixture_of_useless_experts_is_not_to_be_shipped(seed: int, store: "Store", tmp_path: Path) -> None:
    """Though it learned the task: what is cheaper learned it as well."""
    report = judged(store, tmp_path, seed)
    assert {system.name for system in report.systems} == {*LABELS}
    assert report.system("best-single").value < 0.4
    assert report.system("routed").value > 0.5
    assert report.verdict != "ship"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_of_twenty_worlds_at_most_one_ships(store: "Store", tmp_path: Path) -> None:
    """Base, adapters, task, shots and training are other ones in each: chance alone hardly ever says `ship`."""
    verdicts = [judged(store, tmp_path, seed).verdict for seed in range(20)]
    assert verdicts.count("ship") <= 1, verdicts
