"""A task of two skills, and two adapters that know one each: together they know what nothing cheaper can."""

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hubexpert.localhub import Store
    from hubexpert.records import Report
    from hubexpert.systems import Contest
    from tests.planted.world import Pool

EXPERTS = ("first", "second", "third", "idle")
USEFUL = EXPERTS[:2]


@dataclass(frozen=True)
class Compared:
    """A mixture, and one report for each of the useful adapters as the best single one."""

    contest: "Contest"
    reports: dict[str, "Report"]


@pytest.fixture(scope="module")
def pool(store: "Store", tmp_path_factory: pytest.TempPathFactory) -> "Pool":
    from tests.planted.world import two_skills

    return two_skills(store, tmp_path_factory.mktemp("two-skills"))


@pytest.fixture(
    scope="module", params=[4, pytest.param(0, marks=pytest.mark.slow)], ids=["with a shared expert", "without"]
)
def compared(request: pytest.FixtureRequest, pool: "Pool", tmp_path_factory: pytest.TempPathFactory) -> Compared:
    from hubexpert.evaluate import compare
    from hubexpert.recipe import TrainSection
    from hubexpert.workspace import Journal
    from tests.planted.world import mixed

    folder = tmp_path_factory.mktemp("mixture")
    section = TrainSection(
        epochs=8, learning_rate=(1e-3, 5e-3), folds=2, router_rate=30, shared_rank=request.param, initial="shots"
    )
    contest, journal, reports = mixed(pool, EXPERTS, section, folder), Journal(folder / "evaluation.jsonl"), {}
    for name in USEFUL:
        best = pool.adapters[name]
        lesson = replace(contest.lesson, checkpoints=folder / f"checkpoints-{name}")
        others = [source for source in contest.pool if source != best]
        ours = replace(contest, pool=(best, *others), lesson=lesson)
        reports[name] = compare(pool.model, ours, journal, removed=0)
    return Compared(contest, reports)


def test_the_truth_is_as_planted(pool: "Pool") -> None:
    """Each useful adapter solves its half of the task and nothing of the other; nobody else solves anything."""
    from hubexpert.examine import examine
    from hubexpert.slots import applied
    from hubexpert.systems.form import factors_of
    from tests.planted.world import METRIC

    asked = {row.input for row in pool.test}
    assert len(asked) == len(pool.test) == 40
    assert not asked & {shot.input for shot in pool.shots}
    half = len(pool.test) // 2
    for name, source in pool.adapters.items():
        with applied(pool.model.model, factors_of(pool.model, source)):
            values = examine(pool.model, pool.test, METRIC, max_new_tokens=4)[0].values
        solved = (fmean(values[:half]), fmean(values[half:]))
        assert solved == {"first": (1, 0), "second": (0, 1)}.get(name, (0, 0))


@pytest.mark.parametrize("name", USEFUL)
def test_the_mixture_beats_each_expert_alone(name: str, compared: Compared) -> None:
    """As it was published and trained further on the same shots, after correction for all comparisons."""
    report = compared.reports[name]
    against = {difference.second: difference for difference in report.differences}
    routed = report.system("routed").value
    assert routed > 0.8
    for other in ("best-single", "best-single-tuned"):
        assert report.system(other).value < 0.7
        found = against[other]
        assert found.value == pytest.approx(routed - report.system(other).value)
        assert found.low > 0
        assert found.p is not None
        assert found.adjusted is not None
        assert found.p <= found.adjusted < 0.05


@pytest.mark.parametrize("name", USEFUL)
def test_the_mixture_is_to_be_shipped(name: str, compared: Compared) -> None:
    """A fresh LoRA on the same shots cannot know the words that are asked, nor can anything without an adapter."""
    report = compared.reports[name]
    assert report.verdict == "ship"
    for other in ("base", "base-shots", "majority", "fresh-lora"):
        assert report.system(other).value < 0.4


def test_the_useful_experts_have_the_value(compared: Compared, pool: "Pool", tmp_path: Path) -> None:
    """Theirs are the largest Shapley values, surely above zero; the random one's may be none; they add up."""
    from hubexpert.examine import answer_length
    from hubexpert.lm import Lm
    from hubexpert.moe.adapter import load
    from hubexpert.moe.contributions import contributions
    from hubexpert.workspace import Journal
    from tests.planted.world import METRIC

    contest, model = compared.contest, pool.model
    mixture = load(contest.folder, base=model.model)
    try:
        found = contributions(
            Lm(mixture, model.tokenizer),
            contest.experts,
            contest.test,
            METRIC,
            max_new_tokens=answer_length(model.tokenizer, pool.shots),
            journal=Journal(tmp_path / "contributions.jsonl"),
            key_parts={"files": contest.build.files},
            seed=0,
            quiet=True,
        )
    finally:
        mixture.unload()
    assert found.exact
    assert found.whole == pytest.approx(compared.reports["first"].system("routed").value)
    assert sum(expert.shapley for expert in found.experts) == pytest.approx(found.whole - found.empty, abs=1e-9)
    by_name = dict(zip(EXPERTS, found.experts, strict=True))
    ranking = sorted(EXPERTS, key=lambda name: -by_name[name].shapley)
    assert {*ranking[:2]} == {*USEFUL}
    assert all(by_name[name].low > 0 for name in USEFUL)
    assert by_name["idle"].low <= 0 <= by_name["idle"].high
