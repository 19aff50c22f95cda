"""`python -m hubexpert.worker FOLDER PARENT`: one of the processes that train; the agent starts it."""

import json
import os
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from hubexpert.agent import end_with
from hubexpert.errors import HubExpertError, first_line

if TYPE_CHECKING:
    from hubexpert.lm import Lm
    from hubexpert.spread import Job
    from hubexpert.start import Start

DEVICES = "CUDA_VISIBLE_DEVICES"
TOGETHER = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")  # what tells libraries that others train, too


def main() -> None:
    """Do this worker's part of the job in the folder; a line on stdout for every step."""
    folder, rank, count = Path(sys.argv[1]), int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    end_with(int(sys.argv[2]))
    sys.excepthook = lambda kind, error, trace: _tell(folder, rank, error, trace)
    told = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    if told["tuning"] is None:  # before anything asks for the devices
        _alone(rank)

    import torch

    from hubexpert.lm import load_lm
    from hubexpert.spread import START, Job
    from hubexpert.start import read_start

    job = Job.model_validate(told)
    device = None if not torch.cuda.is_available() else "cuda" if job.tuning is None else f"cuda:{rank}"
    model, start = load_lm(job.base, device=device, quantize=job.quantize), read_start(folder / START)
    if job.tuning is None:
        _folds(job, model, start, rank, count)
    else:
        _training(job, model, start, folder, rank)


def _folds(job: "Job", model: "Lm", start: "Start", rank: int, count: int) -> None:
    """Every fold that falls to this worker, one after the other."""
    from hubexpert.trained import opened
    from hubexpert.tune import learn_fold
    from hubexpert.workspace import Journal

    for fold in job.folds[rank::count]:
        found = learn_fold(
            lambda: opened(model, start, job.section),
            job.encoded,
            fold,
            job.section,
            seed=job.seed,
            after_step=_step,
            quiet=True,
        )
        Journal(job.journal).append(fold.entry, found)


def _training(job: "Job", model: "Lm", start: "Start", folder: Path, rank: int) -> None:
    """The training, together with the other workers; the first writes what became of the weights."""
    import torch
    from safetensors.torch import save_file

    from hubexpert.spread import TRAINED
    from hubexpert.train import train
    from hubexpert.trained import opened

    assert job.tuning is not None  # noqa: S101  for mypy
    with opened(model, start, job.section) as form:
        losses = train(
            form,
            job.encoded,
            job.section,
            job.checkpoints,
            seed=job.seed,
            label="",
            learning_rate=job.tuning.learning_rate,
            stop=job.tuning.epochs,
            after_step=None if rank else _step,
            quiet=True,
        )
        if rank == 0:
            learned = {n: p.detach().cpu().contiguous() for n, p in form.model.named_parameters() if p.requires_grad}
            save_file(learned, folder / TRAINED, metadata={"losses": json.dumps(losses)})
    torch.distributed.destroy_process_group()


def _step() -> None:
    sys.stdout.write("\n")
    sys.stdout.flush()


def _alone(rank: int) -> None:
    """Let this process train for itself, on a device of its own."""
    listed = os.environ.get(DEVICES)
    own = [str(rank)] if listed is None else listed.split(",")[rank : rank + 1]
    os.environ[DEVICES] = "".join(own)
    for name in TOGETHER:
        del os.environ[name]


def _tell(folder: Path, rank: int, error: BaseException, trace: TracebackType | None) -> None:
    """Leave word of an error, with the time: when one worker fails, others soon fail, too."""
    message, fix = f"{type(error).__name__}: {first_line(error)}", None
    if isinstance(error, HubExpertError):
        message, fix = error.message, error.fix
    said = {"at": time.time(), "rank": rank, "message": message, "fix": fix}
    (folder / f"error-{rank}.json").write_text(json.dumps(said))
    traceback.print_exception(type(error), error, trace)


if __name__ == "__main__":
    main()
