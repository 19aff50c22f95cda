"""What `hubexpert discover` costs at the Hub's scale, beside the loop that users write.

Everything runs on this machine: a Hub with made adapters, its real server, and the real command behind a proxy that
counts requests. README.md beside this file keeps the table of one run.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hubscale.counting import KINDS, counting
from hubscale.pool import BASE, DATASETS, LONELY, lonely_store
from hubscale.runs import HERE, Run, discover, run, run_killed, served
from hubscale.sizes import (
    Check,
    Scene,
    after_changes,
    at_most,
    changes,
    first_and_second,
    planted,
    same,
    scene,
    tags_asked,
)

SHARE = 0.03  # of the first run's requests, for the second one
MIB = 1 << 20
COLUMNS = ("run", *KINDS, "of adapters", "all", "seconds", "CPU s", "peak MiB", "snapshot MiB", "accepted")
FLOOR, ALONE = "a base without adapters", "huggingface_hub alone"
DATA = ("first, with datasets", "second, with datasets")


@dataclass(frozen=True)
class Figures:
    """What was measured: name -> run, what must hold, and remarks."""

    runs: Mapping[str, Run]
    checks: tuple[Check, ...] = ()
    remarks: tuple[str, ...] = ()

    def __add__(self, other: "Figures") -> "Figures":
        runs = {**self.runs, **other.runs}
        return Figures(runs, (*self.checks, *other.checks), (*self.remarks, *other.remarks))

    def at(self, size: str) -> "Figures":
        """The same with the size of the Hub before every name."""
        runs = {f"{size}: {name}": found for name, found in self.runs.items()}
        checks = tuple(replace(check, name=f"{size}: {check.name}") for check in self.checks)
        return Figures(runs, checks, self.remarks)


def main() -> int:
    asked = arguments()
    sizes = [(asked.adapters * tenths // 10, asked.repos * tenths // 10) for tenths in (1, 3, 10)]
    with tempfile.TemporaryDirectory(prefix="hubscale-", dir=asked.root) as folder:
        root = Path(folder)
        found = Figures({FLOOR: nothing(root / "lonely")})
        for adapters, repos in sizes:
            with scene(root, adapters=adapters, repos=repos, limit=asked.limit) as hub:
                tell(f"{adapters:,} of {repos:,}: made in {hub.made:.0f} s")
                measured = twice(hub)
                if adapters == asked.adapters:
                    measured += further(hub, measured.runs)
            found += measured.at(f"{adapters:,} of {repos:,}")
    found += Figures({}, memory(found.runs, [adapters for adapters, _ in sizes]))
    print(report(found, asked))
    if asked.json:
        asked.json.write_text(json.dumps(record(found), indent=1))
    return 0 if all(check.holds for check in found.checks) else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapters", type=int, default=10_000, help="of the base, at the largest size")
    parser.add_argument("--repos", type=int, default=30_000, help="all together, at the largest size")
    parser.add_argument("--limit", type=int, default=200, help="adapters that are inspected")
    parser.add_argument("--root", type=Path, help="folder for the Hub and the runs' HF_HOMEs")
    parser.add_argument("--json", type=Path, help="file for the figures")
    asked = parser.parse_args()
    if (asked.repos - asked.adapters) // 10 <= DATASETS + 4:
        parser.error("a tenth of the Hub must have room for a tenth of the adapters, and for bases and datasets")
    return asked


def nothing(root: Path) -> Run:
    """A run that finds no adapter: the interpreter, its imports, and little else."""
    store = lonely_store(root)
    with served(store.root) as endpoint, counting(endpoint) as proxy:
        return run(discover(LONELY), proxy, root / "home")


def twice(hub: Scene) -> Figures:
    """The first run and another right after it; and two that look for datasets, too, and read rows of some."""
    cold, warm = hub.discover("home"), hub.discover("home")
    more = hub.discover("data", "--show", "datasets"), hub.discover("data", "--show", "datasets")
    part, told = more[1].requests / more[0].requests, f"{more[1].requests} of {more[0].requests}"
    checks = (
        *first_and_second(hub, cold, warm, SHARE),
        at_most("with datasets: the second run's share of the first one's requests", part, SHARE, told),
        same("with datasets: the second run tells the same", *more),
    )
    return Figures({"first": cold, "second": warm, **dict(zip(DATA, more, strict=True))}, checks)


def further(hub: Scene, before: Mapping[str, Run]) -> Figures:
    """A run that was killed, the loop with the client alone, and runs after changes; the Hub is changed by it."""
    cold = before["first"]
    tell("killed and resumed")
    found = killed(hub, cold)
    tell("the loop with huggingface_hub alone")
    pairs = {"first": "first", "second": "second"}
    command = [sys.executable, str(HERE / "peer.py"), BASE, str(hub.limit)]
    peers = {which: run(command, hub.proxy, hub.homes / "peer") for which in pairs}
    tell("changes")
    pool, new, deleted = changes(hub, cold)
    later, anew = hub.discover("home"), hub.discover("home", "--refresh")
    whole = replace(planted(anew, pool), name="--refresh: every adapter once, deleted ones gone")
    checks = (*after_changes(hub, pool, new, later), whole)
    found += Figures({"after changes": later, "--refresh": anew}, checks, (stale(later, deleted),))
    told: tuple[str, ...] = (data_cost(cold, before[DATA[0]]), each_accepted(cold))
    told += tuple(against(alike, before[alike], peers[name]) for name, alike in pairs.items())
    return found + Figures({f"{ALONE}, {which}": peer for which, peer in peers.items()}, remarks=told)


def killed(hub: Scene, cold: Run) -> Figures:
    """A run that goes on where another was killed in the middle of the listings."""
    half = cold.counts["listing"] // 2
    before = run_killed(discover(BASE, "--limit", str(hub.limit)), hub.proxy, hub.homes / "killed", after=half)
    resumed = hub.discover("killed")
    pages = sum(asked.kind == "listing" for asked in before) + resumed.counts["listing"]
    bound = cold.counts["listing"] + len(tags_asked(cold))
    checks = (
        at_most("pages of a killed run and the resumed one", pages, bound, "the first run's + one a listing"),
        same("resumed run tells the same", cold, resumed),
    )
    return Figures({"resumed": resumed}, checks)


def stale(run_: Run, deleted: Sequence[str]) -> str:
    """What a run that only asked for changes says of deleted adapters: the Hub lists no deletions."""
    told = {line["repo"]: line["verdict"] for line in run_.lines if line["repo"] in deleted}
    fit = sum(verdict == "accepted" for verdict in told.values())
    return f"Of {len(deleted)} deleted adapters, the run after changes still tells {len(told)}, {fit} as accepted."


def memory(runs: Mapping[str, Run], sizes: Sequence[int]) -> tuple[Check, ...]:
    """Whether memory above that of a run without adapters grows more slowly than the Hub."""
    measured = {name: run_.peak for name, run_ in runs.items() if name.endswith(": first")}
    peaks = [next(peak for name, peak in measured.items() if name.startswith(f"{size:,} of")) for size in sizes]
    above = [max(peak - runs[FLOOR].peak, 1) / MIB for peak in peaks]
    return tuple(
        at_most(
            f"memory above the floor, {sizes[-1]:,} against {size:,} adapters",
            above[-1] / mib,
            sizes[-1] / size,
            f"{above[-1]:.1f} MiB against {mib:.1f} MiB",
        )
        for size, mib in zip(sizes[:-1], above[:-1], strict=True)
    )


def report(found: Figures, asked: argparse.Namespace) -> str:
    """Both tables and the remarks, in Markdown."""
    lines = [
        f"{datetime.now(UTC).date()}, {os.cpu_count()} CPU threads, {platform.system()}, "
        f"Python {platform.python_version()}, huggingface_hub {version('huggingface_hub')}:"
        f" `python benchmarks/discovery.py --adapters {asked.adapters} --repos {asked.repos} --limit {asked.limit}`",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|---|" + "---:|" * (len(COLUMNS) - 1),
        *(row(name, run_) for name, run_ in found.runs.items()),
        "",
        "| check | measured | bound | |",
        "|---|---:|---:|---|",
        *(f"| {c.name} | {c.measured} | {c.bound} | {'holds' if c.holds else '**FAILS**'} |" for c in found.checks),
        "",
        *(f"- {remark}" for remark in found.remarks),
    ]
    return "\n".join(lines)


def row(name: str, found: Run) -> str:
    cost = f"{found.seconds:.1f} | {found.busy:.1f} | {found.peak / MIB:.0f} | {found.kept / MIB:.1f}"
    kinds = " | ".join(str(found.counts[kind]) for kind in KINDS)
    return f"| {name} | {kinds} | {found.of_adapters} | {found.requests} | {cost} | {accepted(found)} |"


def accepted(found: Run) -> str:
    """Adapters that the run found fit for use; the loop with the client alone gives no verdicts."""
    if found.lines and "read" in found.lines[0]:
        return f"{found.lines[0]['read']} read of {found.lines[0]['tried']}"
    return str(sum(line["verdict"] == "accepted" for line in found.lines))


def each_accepted(cold: Run) -> str:
    fit = max(1, sum(line["verdict"] == "accepted" for line in cold.lines))
    return f"Requests of the first run about adapters, for each one that it accepts: {cold.of_adapters / fit:.2f}."


def data_cost(cold: Run, data: Run) -> str:
    """What datasets and the first rows of some of them add to a first run."""
    return (
        f"Datasets and their first rows: {data.seconds - cold.seconds:.1f} s of {data.seconds:.1f} s,"
        f" {data.requests - cold.requests} of {data.requests} requests."
    )


def against(which: str, ours: Run, peer: Run) -> str:
    """A run in words, beside the same one of the loop with the client alone."""
    ratios = (peer.of_adapters / ours.of_adapters, peer.seconds / ours.seconds, peer.peak / ours.peak)
    return (
        f"Discovery, {which}: {ours.of_adapters} requests about adapters, {ours.seconds:.1f} s,"
        f" {ours.peak / MIB:.0f} MiB."
        f" {ALONE}: {peer.of_adapters}, {peer.seconds:.1f} s, {peer.peak / MIB:.0f} MiB."
        f" Ratios: {', '.join(f'{ratio:.2f}' for ratio in ratios)}."
        f" It lists {peer.lines[0]['listed']:,} adapters, discovery {len(ours.lines):,}."
    )


def record(found: Figures) -> dict[str, Any]:
    """All figures as JSON values."""
    runs = {
        name: {
            "requests": dict(run_.counts),
            "of_adapters": run_.of_adapters,
            "inspected": run_.inspected,
            "told": len(run_.lines),
            "seconds": run_.seconds,
            "cpu_seconds": run_.busy,
            "peak_bytes": run_.peak,
            "snapshot_bytes": run_.kept,
        }
        for name, run_ in found.runs.items()
    }
    return {"runs": runs, "checks": [asdict(check) for check in found.checks], "remarks": found.remarks}


def tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
