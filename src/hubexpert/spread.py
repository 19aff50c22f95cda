"""Training spread over processes of this machine, each with a base of its own; all that they are told lies in files.

This process waits and shows progress: it starts an `agent`, which starts the workers (`worker`) by torch's elastic
launcher. Folds are dealt out, each trained whole by one worker; a training is shared by all, batch by batch.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from hubexpert.agent import LOG, failure
from hubexpert.errors import HubExpertError
from hubexpert.lm import Encoded, Lm
from hubexpert.progress import track
from hubexpert.recipe import Quantization, TrainSection
from hubexpert.records import Record, Tuning
from hubexpert.start import Start, write_start
from hubexpert.train import steps_an_epoch
from hubexpert.tune import Fold

JOB, START, TRAINED = "job.json", "start.safetensors", "trained.safetensors"


@dataclass(frozen=True)
class Workers:
    """How many processes train, and the base that each of them loads: a folder, and how it is quantised."""

    count: int
    base: Path
    quantize: Quantization | None = None


class Job(Record):
    """What workers are told besides the start.

    Attributes:
        base: the folder that each loads.
        quantize: how.
        section: how to train.
        examples: as token ids, the prompt and the answer, and the weight.
        seed: of training.
        label: what the progress calls it.
        checkpoints: where the training, shared by all, keeps its checkpoints.
        tuning: with what rate and for how many epochs it is trained; without it the folds are what is to be done.
        folds: trained each by one worker.
        journal: where they leave what they found.
    """

    base: Path
    quantize: Quantization | None
    section: TrainSection
    examples: tuple[tuple[tuple[int, ...], tuple[int, ...], float], ...]
    seed: int
    label: str
    checkpoints: Path
    tuning: Tuning | None = None
    folds: tuple[Fold, ...] = ()
    journal: Path

    @property
    def encoded(self) -> list[Encoded]:
        """The examples."""
        return [Encoded(*example) for example in self.examples]

    @property
    def steps(self) -> int:
        """How many steps there are in all."""
        if self.tuning:
            return self.tuning.epochs * steps_an_epoch(len(self.examples), self.section)
        others = [len(self.examples) - len(fold.part) for fold in self.folds]
        return sum(self.section.epochs * steps_an_epoch(count, self.section) for count in others)


def number_of_processes(asked: int | None) -> int:
    """As many as asked for; without a wish one a GPU, or one where there is none.

    Raises:
        HubExpertError: there are fewer GPUs.
    """
    gpus = torch.cuda.device_count()
    if asked is not None and 0 < gpus < asked:
        raise HubExpertError(
            f"{asked} processes were asked for, and this machine has {gpus} GPU{'s' if gpus > 1 else ''}.",
            fix=f"take `--processes {gpus}`, or `--processes auto`",
        )
    return asked or max(1, gpus)


def spread(workers: Workers, model: Lm, start: Start, job: Job, folder: Path, *, quiet: bool) -> None:
    """Let workers do the job; what they trained lies in `folder` afterwards, what they found out in the journal.

    Args:
        workers: how many at most.
        model: the base in this process; while others train it makes room on its device where it can be moved.
        start: where the training starts.
        job: what is to be done.
        folder: for the files; the caller removes it.
        quiet: no progress.

    Raises:
        HubExpertError: what a worker raised, or that one of them died.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_start(start, folder / START)
    (folder / JOB).write_text(job.model_dump_json(), encoding="utf-8")
    count = min(workers.count, len(job.folds) or workers.count)
    command = [sys.executable, "-P", "-m", "hubexpert.agent", str(folder), str(count), str(os.getpid())]
    settings = {**os.environ, "HF_HUB_OFFLINE": "1"}  # all they need is in folders
    with (
        _aside(model),
        (folder / LOG).open("wb") as log,
        subprocess.Popen(
            command, env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        ) as agent,
    ):
        try:
            for _ in track(agent.stdout or (), job.label, total=job.steps, quiet=quiet):  # a line a step
                pass
            agent.wait()
        finally:
            agent.terminate()  # where the wait was interrupted; it ends the workers first
    if agent.returncode:
        raise failure(folder, count)


def read_trained(model: Lm, folder: Path) -> tuple[float, ...]:
    """Put what workers trained into the opened model; the mean training loss of each epoch is returned."""
    with safe_open(folder / TRAINED, framework="pt") as stored, torch.no_grad():
        for name, parameter in model.model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(stored.get_tensor(name))
        return tuple(json.loads(stored.metadata()["losses"]))


@contextmanager
def _aside(model: Lm) -> Iterator[None]:
    """Within the block the base leaves the GPU to the workers; a quantised one cannot."""
    device = model.device
    if device.type != "cuda" or getattr(model.model, "is_quantized", False):
        yield
        return
    try:
        model.model.to("cpu")
        torch.cuda.empty_cache()
        yield
    finally:
        model.model.to(device)
