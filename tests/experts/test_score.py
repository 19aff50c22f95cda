"""Scoring a pool over real HTTP on a tiny base: planted truths, nothing twice, the same numbers on every way."""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import psutil
import pytest

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.experts.cluster import on_cluster
from hubexpert.experts.engine import Engine, Work, on_this_machine
from hubexpert.experts.ledger import Ledger, Outcome, open_ledger
from hubexpert.experts.score import Trial, context, score_pool, trial
from hubexpert.hub import resolve
from hubexpert.kinds import WEIGHTS_FILE
from hubexpert.lm import Lm, load_lm
from hubexpert.localhub import Store
from hubexpert.recipe import ExpertsSection
from hubexpert.records import Example, Source
from hubexpert.shots import Task
from hubexpert.workspace import Journal
from tests import tiny
from tests.pipeline.world import INSTRUCTION, rows, solver

BASE = "tester/scoring-base"
RANDOM = 11
SHOTS = tuple(Example(instruction=INSTRUCTION, **row) for row in rows(16))


@pytest.fixture(scope="session")
def pool(store: Store, tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """A base with one adapter that solves the toy task, random ones of many shapes, and one with NaN."""
    root = tmp_path_factory.mktemp("scoring")
    store.add_folder(BASE, tiny.save_base(root / "base"))
    solves = solver(root / "solver")
    for file in (solves / "adapter_config.json", solves / "README.md"):
        file.write_text(file.read_text().replace(tiny.BASE, BASE))
    store.add_folder("tester/scoring-solver", solves)
    names = ["scoring-solver"]
    for i in range(RANDOM):
        shape = ({"r": 2}, {"r": 8, "use_rslora": True}, {"r": 4, "target_modules": "all-linear"})[i % 3]
        names.append(f"scoring-{i:02}")
        store.add_folder(f"tester/{names[-1]}", tiny.lora(root / str(i), seed=i, base=BASE, scale=0.1, **shape))
    broken = tiny.rewrite(tiny.lora(root / "nan", seed=99, base=BASE), lambda tensor: tensor * float("nan"))
    store.add_folder("tester/scoring-nan", broken)
    return [resolve(f"tester/{name}") for name in (*names, "scoring-nan")]


@pytest.fixture(scope="session")
def base(pool: list[Source]) -> Source:
    return resolve(BASE)


@pytest.fixture(scope="session")
def model(base: Source) -> Lm:
    return load_lm(base, device="cpu")


def asked_of(base: Source, shots: Sequence[Example] = SHOTS, **settings: object) -> Trial:
    section = ExpertsSection.model_validate({"count": 2, "candidates": 3, **settings})
    return trial(base, Task(metric="exact_match", shots=tuple(shots), test=()), tiny.tokenizer(), section, 0)


def opened(path: Path, asked: Trial, engine: Engine) -> Ledger:
    return open_ledger(Journal(path), context(asked, engine))


class Counted:
    """An engine that counts what it is asked for, and may stop after some works, as if the process was killed."""

    def __init__(self, engine: Engine, *, stop_after: int | None = None) -> None:
        self.inner, self.stop_after, self.pairs, self.works = engine, stop_after, 0, 0
        self.engine = replace(engine, measure=self.measure)

    def measure(self, works: Sequence[Work]) -> Iterator[tuple[Work, list[Outcome]]]:
        for work, outcomes in self.inner.measure(works):
            if self.works == self.stop_after:
                raise KeyboardInterrupt
            self.works += 1
            self.pairs += len(work.sources) * len(work.shots)
            yield work, outcomes


def test_the_adapter_that_solves_the_task_scores_best(
    model: Lm, base: Source, pool: list[Source], tmp_path: Path
) -> None:
    """Every usable adapter has a score on all shots, the broken one a reason."""
    asked, engine = asked_of(base), on_this_machine(model, base)
    table = score_pool(engine, asked, pool, opened(tmp_path / "j", asked, engine), quiet=True)
    best = max(table.scores, key=lambda score: score.exact_match)
    assert best.source.repo == "tester/scoring-solver"
    assert best.exact_match > 0.9
    assert best.perplexity == min(score.perplexity for score in table.scores)
    assert {score.n for score in table.scores} == {16}
    assert [(refused.source.repo, refused.code) for refused in table.refused] == [("tester/scoring-nan", "nan-weights")]


def test_the_order_of_the_pool_changes_nothing_but_rounding(
    model: Lm, base: Source, pool: list[Source], tmp_path: Path
) -> None:
    """Adapters share batches with others, and score the same."""
    asked, engine = asked_of(base), on_this_machine(model, base)
    one = score_pool(engine, asked, pool, opened(tmp_path / "one", asked, engine), quiet=True)
    alone = replace(engine, lanes=lambda shots: 1)
    two = score_pool(alone, asked, pool[::-1], opened(tmp_path / "two", asked, engine), quiet=True)
    assert engine.lanes(SHOTS) > 1
    assert [(s.source, s.exact_match) for s in one.scores] == [(s.source, s.exact_match) for s in two.scores]
    assert [s.perplexity for s in one.scores] == pytest.approx([s.perplexity for s in two.scores], rel=1e-4)


def test_what_was_measured_is_not_measured_again(model: Lm, base: Source, pool: list[Source], tmp_path: Path) -> None:
    """A stopped run goes on where it was and ends with the same table; a new shot costs itself alone."""
    engine = on_this_machine(model, base)
    asked = asked_of(base)
    whole = score_pool(engine, asked, pool, opened(tmp_path / "whole", asked, engine), quiet=True)
    stopped = Counted(engine, stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        score_pool(stopped.engine, asked, pool[:-1], opened(tmp_path / "j", asked, engine), quiet=True)
    kept = (tmp_path / "j").read_bytes()
    rest = Counted(engine)
    again = score_pool(rest.engine, asked, pool, opened(tmp_path / "j", asked, engine), quiet=True)
    assert again == whole
    assert (tmp_path / "j").read_bytes().startswith(kept)
    assert stopped.pairs + rest.pairs == 16 * (len(pool) + 1)
    more = asked_of(base, [*SHOTS, Example(instruction=INSTRUCTION, input="b77", output="right")])
    new = Counted(engine)
    score_pool(new.engine, more, pool, opened(tmp_path / "j", more, engine), quiet=True)
    assert new.pairs == len(pool)  # the base and all adapters but the broken one
    none = Counted(engine)
    assert score_pool(none.engine, asked, pool, opened(tmp_path / "j", asked, engine), quiet=True) == whole
    assert none.pairs == 0


def test_a_base_that_gives_no_numbers_is_told(model: Lm, base: Source, pool: list[Source], tmp_path: Path) -> None:
    """One sentence, before any adapter is measured."""
    broken = tiny.model()
    broken.lm_head.weight.data *= float("nan")
    engine = on_this_machine(Lm(broken, model.tokenizer), base)
    asked = asked_of(base)
    with pytest.raises(HubExpertError, match="alone gives no numbers"):
        score_pool(engine, asked, pool, opened(tmp_path / "j", asked, engine), quiet=True)


def test_halving_finds_the_same_best_for_less(model: Lm, base: Source, pool: list[Source], tmp_path: Path) -> None:
    """The best are scored on all shots, the others on the first of them; what is spent is what was planned."""
    engine = on_this_machine(model, base)
    shots = [Example(instruction=INSTRUCTION, **row) for row in rows(40)]
    asked = asked_of(base, shots, budget="halving", count=1, candidates=2)
    counted = Counted(engine)
    usable = pool[:-1]
    table = score_pool(counted.engine, asked, usable, opened(tmp_path / "j", asked, engine), quiet=True)
    assert max(table.scores, key=lambda s: (s.n, s.exact_match)).source.repo == "tester/scoring-solver"
    ns = [score.n for score in table.scores]
    assert min(ns) < 40 == max(ns)
    assert counted.pairs - 40 == sum(ns)  # 40 for the base
    assert sum(ns) <= 40 * len(usable) / 3
    full = score_pool(engine, asked_of(base, shots), usable, opened(tmp_path / "f", asked, engine), quiet=True)
    exact = {score.source: score for score in full.scores}
    for score in table.scores:
        assert (score.low, score.high) != (0, 0)
        if score.n == 40:
            assert score.exact_match == exact[score.source].exact_match


def test_adapted_perplexity_is_measured_once_for_those_that_are_asked_for(
    model: Lm, base: Source, pool: list[Source], tmp_path: Path
) -> None:
    """The adapter that knows the task is the best after a few steps, too; of the others only the best are adapted."""
    few = {"among": 3, "epochs": 1, "folds": 2}
    asked = asked_of(base, rank=["exact_match", "perplexity", "adapted"], adapted=few)
    counted = Counted(on_this_machine(model, base))
    table = score_pool(counted.engine, asked, pool, opened(tmp_path / "j", asked, counted.engine), quiet=True)
    adapted = {score.source.repo: score.adapted for score in table.scores if score.adapted is not None}
    assert len(adapted) == 3
    assert min(adapted, key=lambda repo: adapted[repo]) == "tester/scoring-solver"
    again = Counted(on_this_machine(model, base))
    assert score_pool(again.engine, asked, pool, opened(tmp_path / "j", asked, again.engine), quiet=True) == table
    assert again.pairs == 0
    alone = asked_of(base, rank=["adapted"], adapted=few)
    everybody = score_pool(again.engine, alone, pool[:5], opened(tmp_path / "j", alone, again.engine), quiet=True)
    assert all(score.adapted is not None for score in everybody.scores)
    plain = asked_of(base)
    table = score_pool(again.engine, plain, pool, opened(tmp_path / "j", plain, again.engine), quiet=True)
    assert {score.adapted for score in table.scores} == {None}


def test_weights_beyond_the_disk_budget_are_removed_again(
    model: Lm, base: Source, pool: list[Source], store: Store, tmp_path: Path
) -> None:
    """What this run downloaded goes, oldest first; what was on the machine before stays."""
    fresh = []
    for i in range(4):
        store.add_folder(f"tester/scoring-disk-{i}", tiny.lora(tmp_path / str(i), seed=50 + i, base=BASE))
        fresh.append(resolve(f"tester/scoring-disk-{i}"))
    hub.download(fresh[0], (WEIGHTS_FILE, "adapter_config.json"))
    size = (tmp_path / "1" / WEIGHTS_FILE).stat().st_size
    engine = on_this_machine(model, base, disk=size)
    asked = asked_of(base)
    alone = replace(engine, lanes=lambda shots: 1)
    table = score_pool(alone, asked, fresh, opened(tmp_path / "j", asked, engine), quiet=True)
    assert len(table.scores) == 4
    assert [hub.cached(source, WEIGHTS_FILE) for source in fresh] == [True, False, False, True]


def test_the_next_adapters_are_downloaded_while_one_is_measured(
    model: Lm, base: Source, store: Store, tmp_path: Path
) -> None:
    """When the first is handed over, the files of those behind it are on their way."""
    fresh = []
    for i in range(3):
        store.add_folder(f"tester/scoring-ahead-{i}", tiny.lora(tmp_path / str(i), seed=70 + i, base=BASE))
        fresh.append(resolve(f"tester/scoring-ahead-{i}"))
    works = [Work((source,), SHOTS[:2], "exact_match", 8) for source in fresh]
    measuring = on_this_machine(model, base).measure(works)
    next(measuring)
    end = monotonic() + 20
    while not all(hub.cached(source, WEIGHTS_FILE) for source in fresh) and monotonic() < end:
        sleep(0.05)
    assert all(hub.cached(source, WEIGHTS_FILE) for source in fresh)
    assert len(list(measuring)) == 2


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_cluster_gives_the_same_numbers_also_when_a_worker_is_killed(
    model: Lm, base: Source, pool: list[Source], tmp_path: Path
) -> None:
    """Two workers, one of them killed at work: nothing is lost, every number is that of this machine."""
    asked = asked_of(base)
    here = replace(on_this_machine(model, base), lanes=lambda shots: 1)
    wanted = score_pool(here, asked, pool, opened(tmp_path / "here", asked, here), quiet=True)
    cluster = replace(on_cluster(base, base, workers=2), lanes=lambda shots: 1)
    assert cluster.precision == here.precision
    got = score_pool(cluster, asked, pool, opened(tmp_path / "there", asked, cluster), quiet=True)
    assert got == wanted

    killed: list[int] = []

    def kill() -> None:
        journal = tmp_path / "killed"
        while not (journal.exists() and journal.read_text().count("\n") > 40):  # the base, and two adapters
            sleep(0.01)
        workers = [p for p in psutil.Process().children(recursive=True) if "_Worker" in " ".join(p.cmdline())]
        os.kill(workers[0].pid, signal.SIGKILL)
        killed.append(workers[0].pid)

    killer = Thread(target=kill)
    killer.start()
    again = score_pool(cluster, asked, pool, opened(tmp_path / "killed", asked, cluster), quiet=True)
    killer.join()
    assert killed
    assert again == wanted
    keys = [json.loads(line)["key"] for line in (tmp_path / "killed").read_text().splitlines()]
    assert len(keys) == len(set(keys))
