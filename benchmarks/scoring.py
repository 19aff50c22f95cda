"""What scoring a pool of adapters costs, beside the loops that users write with PEFT, on the same numbers.

Everything runs on this machine: SmolLM2-135M-Instruct, the sixteen adapters of `examples/bank`, and a Hub which serves
them. docs/benchmarks.md keeps the figures of one run.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from poolscale.local import EXAMPLES, METRIC, Scores, engine_scores, hub_with_bank

from hubexpert import demo

FEW_SHOTS = 4  # in the memory runs
FEWER = 4  # adapters in the slowest loops


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(".benchmark"), help="keeps the base and the Hub")
    parser.add_argument("--tasks", default="topics,slots,openbookqa")
    parser.add_argument("--shots", type=int, default=32)
    parser.add_argument("--sizes", default="16,128", help="adapters in the memory runs; empty for none")
    parser.add_argument("--port", type=int, default=8390)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inside", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(pool_run(options.root.resolve(), options.inside)))
        return 0
    root = options.root.resolve()
    with hub_with_bank(root, options.port):
        figures: dict[str, Any] = {"tasks": {}, "sizes": {}}
        for task in filter(None, options.tasks.split(",")):
            figures["tasks"][task] = compare(root, task, options.shots, every_peer=not figures["tasks"])
            print(json.dumps({task: figures["tasks"][task]}), flush=True)
        for size in filter(None, options.sizes.split(",")):
            figures["sizes"][size] = inside(root, int(size))
            print(json.dumps({size: figures["sizes"][size]}), flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and the result."""
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def compare(root: Path, task: str, count: int, *, every_peer: bool) -> dict[str, Any]:
    """Our engine, the loops and the base alone on one task: pairs of adapter and shot a second, and what differs."""
    from poolscale.peers import base_alone, mixed, one_by_one, with_adapters
    from poolscale.pool import bank, shots_of

    from hubexpert.factors import read_factors
    from hubexpert.lm import load_lm

    folders, shots = bank(EXAMPLES), shots_of(EXAMPLES, task, count)
    lm = load_lm(root / "base", device="cpu")
    pool = [read_factors(folder) for folder in folders]
    with_adapters(lm, pool[:1], shots[:4], METRIC)  # warm
    seconds, ours = timed(lambda: fresh_scores(root, lm, [f"{demo.OWNER}/{f.name}" for f in folders], shots))
    pairs = len(folders) * len(shots)
    figures: dict[str, Any] = {"shots": len(shots), "ours": pairs / seconds, "ours_seconds": seconds}
    figures["adapters_seconds"], looks = timed(lambda: with_adapters(lm, pool, shots, METRIC))
    figures["base_seconds"], _ = timed(lambda: base_alone(lm, looks, shots))
    figures["to_base"] = figures["adapters_seconds"] / figures["base_seconds"]
    peers: dict[str, tuple[Callable[..., Any], int, int]] = {
        "loop of 8": (one_by_one, 8, len(folders) if every_peer else FEWER)
    }
    if every_peer:
        peers |= {"loop of 1": (one_by_one, 1, FEWER), "mixed batches of 8": (mixed, 8, FEWER)}
    for name, (loop, batch, most) in peers.items():
        some = folders[:most]
        seconds, theirs = timed(partial(loop, lm, some, shots, METRIC, batch))
        speed = len(some) * len(shots) / seconds
        figures[name] = {"speed": speed, "ratio": figures["ours"] / speed, **differences(ours, theirs)}
    return figures


def fresh_scores(root: Path, lm: Any, repos: Sequence[str], shots: Sequence[Any]) -> Scores:
    """Scores of a run with an empty journal."""
    journal = root / "scores.jsonl"
    journal.unlink(missing_ok=True)
    return engine_scores(journal, lm, repos, shots)


def differences(ours: Scores, theirs: Scores) -> dict[str, float]:
    """How many values of the metric differ, and the largest relative difference of an NLL."""
    values = [a != b for name in theirs for a, b in zip(ours[name][0], theirs[name][0], strict=True)]
    nlls = [abs(a - b) / b for name in theirs for a, b in zip(ours[name][1], theirs[name][1], strict=True)]
    return {"metric_differs": sum(values), "nll_differs": max(nlls)}


def inside(root: Path, size: int) -> dict[str, Any]:
    """A run with that many adapters in a process of its own."""
    command = [sys.executable, __file__, "--root", str(root), "--inside", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    return dict(json.loads(done.stdout.splitlines()[-1]))


def pool_run(root: Path, size: int) -> dict[str, Any]:
    """Seconds and peak memory (MiB) of scoring `size` adapters on a few shots, and of loading the base alone."""
    from poolscale.pool import copies, shots_of

    from hubexpert import hub
    from hubexpert.hub import resolve
    from hubexpert.kinds import CONFIG_FILE, WEIGHTS_FILE
    from hubexpert.lm import load_lm

    repos = copies(EXAMPLES, root / "hub", size)
    for repo in repos:
        hub.download(resolve(repo), (CONFIG_FILE, WEIGHTS_FILE))
    lm = load_lm(root / "base", device="cpu")
    loaded = peak()
    seconds, scores = timed(lambda: fresh_scores(root, lm, repos, shots_of(EXAMPLES, "topics", FEW_SHOTS)))
    return {"adapters": len(scores), "seconds": seconds, "MiB": peak(), "MiB_loaded": loaded}


def peak() -> float:
    """The process's largest resident memory so far, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
