"""What happens between steps and epochs: progress, and checkpoints that are known to be whole."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_utils import get_last_checkpoint

from hubexpert.progress import track

WHOLE = "whole"  # a file in a checkpoint, written last


class MarkWhole(TrainerCallback):
    """Mark every checkpoint that was written to its end."""

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Once all processes have written their parts."""
        args.distributed_state.wait_for_everyone()  # each process writes its own part of a checkpoint
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()


class AfterEpoch(TrainerCallback):
    """Call something after every epoch."""

    def __init__(self, call: Callable[[], None] | None) -> None:
        self.call = call

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """With the model in evaluation mode."""
        if self.call is not None:
            model.eval()
            self.call()


class Progress(TrainerCallback):
    """Tell how many steps are done, and call something after each."""

    def __init__(self, label: str, steps: int, call: Callable[[], None] | None, quiet: bool) -> None:
        self.bar: Iterator[int] = track(range(steps + 1), label, total=steps, quiet=quiet)
        self.call = call

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """With the steps that were done before a kill."""
        next(self.bar)
        for _step in range(state.global_step):
            self.on_step_end(args, state, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """One step further."""
        next(self.bar, None)
        if self.call is not None:
            self.call()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """To the end of what was to be done."""
        for _step in self.bar:
            pass


def last_whole(checkpoints: Path) -> str | None:
    """The last checkpoint that was written to its end; others, cut short by a kill, are removed."""
    for folder in checkpoints.glob("checkpoint-*"):
        if not (folder / WHOLE).exists():
            shutil.rmtree(folder)
    return get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
