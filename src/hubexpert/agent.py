"""`python -m hubexpert.agent FOLDER COUNT PARENT`: starts the workers of a job, and ends with them or its parent."""

import json
import logging
import os
import signal
import sys
import threading
import time
import uuid
from pathlib import Path

from hubexpert.errors import HubExpertError

LOG, ENDED = "agent.log", "ended.json"


def main() -> None:
    """Start as many workers, torch's elastic launcher beside them, and tell how they ended."""
    folder, count, parent = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    end_with(parent)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.ERROR)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # a free port
        local_addr="localhost",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=str(folder / "logs"), redirects=Std.ERR),
    )
    try:
        elastic_launch(config, sys.executable)("-P", "-m", "hubexpert.worker", str(folder), str(os.getpid()))
    except ChildFailedError as error:
        codes = {rank: failed.exitcode for rank, failed in error.failures.items()}
        (folder / ENDED).write_text(json.dumps(codes))
        sys.exit(1)


def end_with(parent: int) -> None:
    """From now on this process ends when its parent does, however that ends: nothing trains on for nobody."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def failure(folder: Path, count: int) -> HubExpertError:
    """What went wrong in a job: a worker was killed, or raised something; those after it only lost touch with it."""
    ended = json.loads((folder / ENDED).read_text()) if (folder / ENDED).exists() else {}
    killed = [(rank, -code) for rank, code in ended.items() if code < 0 and -code != signal.SIGTERM]  # that is ours
    said = sorted((json.loads(file.read_text()) for file in folder.glob("error-*.json")), key=lambda error: error["at"])
    if killed:
        rank, number = killed[0]
        return _died(folder, f"Process {int(rank) + 1} of {count} was killed by {signal.Signals(number).name}", rank)
    if said and said[0]["fix"]:
        return HubExpertError(said[0]["message"], fix=said[0]["fix"])
    if said:
        rank, message = said[0]["rank"], said[0]["message"]
        return _died(folder, f"Process {rank + 1} of {count} failed", rank, message)
    return _died(folder, "What starts the processes failed")


def _died(folder: Path, what: str, rank: int | str | None = None, message: str = "") -> HubExpertError:
    log = next(iter(folder.glob(f"logs/*/*/{rank}/stderr.log")), folder / LOG)
    written = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    last = message or (written[-1][:200] if written else "it wrote nothing")
    return HubExpertError(
        f"{what} while training: {last}",
        fix=f"see {log}; where memory ran out, a smaller `train.batch_size`, `train.gradient_checkpointing: true` "
        "or fewer `--processes` help; what is finished is kept",
    )


if __name__ == "__main__":
    main()
