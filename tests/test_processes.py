"""Training on several devices: two processes over gloo end where one ends, and leave nothing behind when they die."""

import ast
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hubexpert import pipeline
from hubexpert.errors import HubExpertError
from hubexpert.lm import Lm, load_lm
from hubexpert.records import Tuning
from hubexpert.spread import Workers
from hubexpert.trained import Lesson, Trained, opened, trained
from tests import ranks, tiny
from tests.commands import run

PATIENCE = 60.0  # seconds
TUNED: dict[str, Any] = {"learning_rate": [1e-4, 1e-3], "folds": 2, "epochs": 12}
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("adapters")
    for i in range(2):
        tiny.lora(root / str(i), seed=i, r=4 + i)
    return root


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def learned(adapters: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of every case, trained by one process and by two."""
    folder = tmp_path_factory.mktemp("learned")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "tests.ranks", str(adapters), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    ranks.learn_all(adapters, folder)
    return folder


def apart(ones: Weights, others: Weights, begins: Weights) -> float:
    """How far apart two trainings ended, as a part of the way that they went."""
    way = sum(float((ones[name] - begins[name]).square().sum()) for name in ones)
    return float(sum(float((ones[name] - others[name]).square().sum()) for name in ones) / way) ** 0.5


def beginning(kind: str, lesson: Lesson, adapters: Path) -> Weights:
    model = Lm(tiny.model(), tiny.tokenizer())
    with opened(model, ranks.start(model, kind, lesson, adapters), lesson.section) as form:
        return ranks.weights(form)


def _metadata(file: Path) -> dict[str, str]:
    with safe_open(file, framework="pt") as stored:
        return dict(stored.metadata())


@pytest.mark.parametrize("case", ranks.CASES)
def test_two_processes_end_where_one_ends(case: str, learned: Path, adapters: Path, tmp_path: Path) -> None:
    """Whatever the size of the batches, the last one's too: the same steps, up to rounding; both have equal weights."""
    kind, shots, settings = ranks.CASES[case]
    begins = beginning(kind, ranks.lesson(tmp_path, shots, **settings), adapters)
    files = {who: learned / f"{case}-{who}.safetensors" for who in ("one", "0", "1")}
    one, first, second = (load_file(file) for file in files.values())
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(not torch.equal(one[name], begins[name]) for name in one if "shared" not in name)
    assert apart(one, first, begins) < 1e-4
    losses = [ast.literal_eval(_metadata(file)["losses"]) for file in files.values()]
    assert losses[1] == losses[2] == pytest.approx(losses[0], rel=1e-4)


def test_other_batches_would_be_told(learned: Path, adapters: Path, tmp_path: Path) -> None:
    """What is compared above tells apart: batches of four and of five rows end far from each other."""
    begins = beginning("mixture", ranks.lesson(tmp_path, 12), adapters)
    even, odd = (load_file(learned / f"{case}-one.safetensors") for case in list(ranks.CASES)[:2])
    assert apart(even, odd, begins) > 1e-1


def taught(lesson: Lesson, base: Path, adapters: Path, **given: Any) -> tuple[Weights, Trained]:
    """The weights after everything that `trained` does, and what it says of it."""
    model = load_lm(base)
    with trained(model, ranks.start(model, "mixture", lesson, adapters), lesson, "it", "it", **given) as made:
        return ranks.weights(made.model), made


@pytest.fixture(scope="module")
def whole(base: Path, adapters: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lesson, Weights, Trained]:
    """Tuned and trained by two processes, undisturbed."""
    learned = replace(ranks.lesson(tmp_path_factory.mktemp("whole"), 12, **TUNED), workers=Workers(2, base))
    return learned, *taught(learned, base, adapters)


def test_folds_are_dealt_out_and_change_nothing(
    whole: tuple[Lesson, Weights, Trained], base: Path, adapters: Path, tmp_path: Path
) -> None:
    """The likelihoods that one process finds, so the same choice; after the training its weights up to rounding."""
    spread, two, said = whole
    alone = ranks.lesson(tmp_path, 12, **TUNED)
    one, told = taught(alone, base, adapters)
    assert said.tuning == told.tuning
    assert spread.journal.read() == alone.journal.read()
    assert said.losses == pytest.approx(told.losses, rel=1e-4)
    begins = beginning("mixture", alone, adapters)
    assert apart(one, two, begins) < 1e-4
    for part in ("router", "lora_A.default.weight", "lora_B.default.weight"):
        assert any(not torch.equal(two[name], begins[name]) for name in two if name.endswith(part))


def processes(place: Path, module: str = "") -> list[psutil.Process]:
    """All processes that train in this place, and those that start them."""
    modules = {f"hubexpert.{name}" for name in ("worker", "agent") if module in name}
    found = psutil.process_iter(["cmdline"])
    return [p for p in found if modules & {*(p.info["cmdline"] or ())} and f"{place}.workers" in p.info["cmdline"]]


def wait_for(reached: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, "it never got there"
        time.sleep(0.005)


@pytest.mark.slow
def test_whatever_is_killed_it_goes_on_and_ends_with_the_same_weights(
    whole: tuple[Lesson, Weights, Trained], base: Path, adapters: Path, tmp_path: Path
) -> None:
    """`kill -9` of the process that waits ends those that train; of one that trains, all, with one sentence.

    Started again it goes on from the last epoch that was saved to its end, and ends like an undisturbed one, bit for
    bit.
    """
    _, weights, said = whole
    lesson = replace(ranks.lesson(tmp_path, 12, **TUNED), workers=Workers(2, base))
    place = lesson.place("it", ["it", said.tuning])
    given = str(tmp_path), str(base), str(adapters), said.tuning.model_dump_json()
    code = f"from tests.test_processes import *\ngo_on(*{given!r})"
    process = subprocess.Popen([sys.executable, "-c", code])
    wait_for(lambda: list(place.glob("checkpoint-*/whole")) or process.poll() is not None)
    assert len(processes(place)) == 3
    process.kill()
    process.wait()
    wait_for(lambda: not processes(place))
    (place / "checkpoint-99999").mkdir()  # what a kill while a checkpoint is written leaves

    kept = {*place.glob("checkpoint-*/whole")}

    def kill_the_second() -> None:
        wait_for(lambda: len(processes(place)) == 3)
        [second] = [p for p in processes(place, "worker") if p.environ()["RANK"] == "1"]
        wait_for(lambda: {*place.glob("checkpoint-*/whole")} - kept)
        second.kill()

    killer = Thread(target=kill_the_second)
    killer.start()
    with pytest.raises(HubExpertError, match=r"Process 2 of 2 was killed by SIGKILL while training") as raised:
        taught(lesson, base, adapters, tuning=said.tuning)
    killer.join()
    assert "`--processes`" in raised.value.fix
    assert not processes(place)

    again, told = taught(lesson, base, adapters, tuning=said.tuning)
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert told.losses == said.losses
    assert len(told.losses) == said.tuning.epochs


def go_on(folder: str, base: str, adapters: str, tuning: str) -> None:
    """The training of the test above, in the process that is killed."""
    lesson = replace(ranks.lesson(Path(folder), 12, **TUNED), workers=Workers(2, Path(base)))
    taught(lesson, Path(base), Path(adapters), tuning=Tuning.model_validate_json(tuning))


@pytest.mark.slow
def test_what_a_worker_says_is_what_the_user_reads(adapters: Path, base: Path, tmp_path: Path) -> None:
    """An error of ours comes through as it is; any other with the end of what the worker wrote."""
    lesson = replace(ranks.lesson(tmp_path, 12), workers=Workers(1, tmp_path / "nowhere"))
    with pytest.raises(HubExpertError, match="nowhere cannot be loaded as a causal language model") as raised:
        taught(lesson, base, adapters, tuning=Tuning(learning_rate=1e-2, epochs=1))
    assert "transformers loads" in raised.value.fix
    other = tiny.model(hidden=64)
    other.save_pretrained(tmp_path / "other")
    tiny.tokenizer().save_pretrained(tmp_path / "other")
    lesson = replace(lesson, workers=Workers(1, tmp_path / "other"))
    with pytest.raises(HubExpertError, match=r"Process 1 of 1 failed while training: RuntimeError: ") as raised:
        taught(lesson, base, adapters, tuning=Tuning(learning_rate=1e-2, epochs=1))
    log = Path(raised.value.fix.split(";")[0].removeprefix("see "))
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5"])
def test_how_many_processes_is_a_number(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("build", "--processes", asked) == 2
    assert "1 or more" in capsys.readouterr().err


def test_hubexpert_itself_is_started_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a launcher that starts several it says what to do instead."""
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(HubExpertError, match="started 4 times") as raised:
        pipeline.open_project(tmp_path / "hubexpert.yaml", quiet=True)
    assert "--processes 4" in raised.value.fix
