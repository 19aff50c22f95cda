"""The tables of docs/results.md, from the results alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from hubexpert.evaluate import differences
from hubexpert.records import Measured, SystemScore
from hubexpert.significance import holm, p_value
from hubexpert.statistics import Floats, bootstrap, paired
from hubexpert.verdict import judge

ORDER = (
    *("majority", "base", "base-shots", "best-single", "best-single-tuned", "static", "routed", "fresh-lora"),
    *("random-experts", "lorahub", "arrow"),
)
ROUTED, PEERS = "routed", ("lorahub", "arrow")
Run = dict[str, Any]


def tables(folder: Path) -> str:
    """Everything as Markdown."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    whole = [run for run in runs if "random-experts" in run["systems"]]
    parts = [scores(whole), against(whole), each_draw(whole), experts(whole), tunings(whole)]
    varied = [run for run in whole if any(name not in ORDER for name in run["systems"])]
    return "\n\n".join([*parts, *([variants(varied)] if varied else [])])


def scores(runs: Sequence[Run]) -> str:
    """Exact match of every system: a column a target, the mean over its draws; the last is the mean over targets."""
    targets = sorted({run["target"] for run in runs})
    counts = {target: sum(run["target"] == target for run in runs) for target in targets}
    lines = ["| system | " + " | ".join(f"{t} ({counts[t]})" for t in targets) + " | mean |"]
    lines.append("|---" * (len(targets) + 2) + "|")
    for name in ORDER:
        cells = []
        for target in targets:
            found = [
                fmean(r["systems"][name]["values"]) for r in runs if r["target"] == target and name in r["systems"]
            ]
            cells.append(fmean(found) if found else None)
        known = [cell for cell in cells if cell is not None]
        mean = f"{100 * fmean(known):.1f}" if len(known) == len(targets) else "–"
        told = [f"{100 * cell:.1f}" if cell is not None else "–" for cell in cells]
        lines.append(f"| {name} | " + " | ".join(told) + f" | {mean} |")
    return "\n".join(lines)


def against(runs: Sequence[Run]) -> str:
    """Routed minus every other system, over all rows of all draws, rows resampled within their draws and targets."""
    lines = [
        "| routed minus | mean over targets, points | 95 % interval | draws better, worse, neither |",
        "|---|---:|---|---|",
    ]
    for name in (name for name in ORDER if name != ROUTED):
        pairs = [_pair(run, name) for run in runs if name in run["systems"]]
        if len(pairs) < len(runs) and name not in ("majority", "lorahub"):
            continue
        targets = [run["target"] for run in runs if name in run["systems"]]
        mean, low, high = stratified(pairs, targets)
        told = [verdict(run, name) for run in runs if name in run["systems"]]
        counts = f"{told.count('better')}, {told.count('worse')}, {told.count('neither')}"
        lines.append(f"| {name} | {100 * mean:+.1f} | {100 * low:+.1f} to {100 * high:+.1f} | {counts} |")
    return "\n".join(lines)


def stratified(pairs: Sequence[Floats], targets: Sequence[str], draws: int = 2000) -> tuple[float, float, float]:
    """The mean over targets of the mean difference, and its 95 % interval: rows are resampled within each draw.

    The draws of a target share their held-out rows, so these are drawn together.
    """
    generator = np.random.default_rng(0)
    by_target = {
        t: np.mean([p for p, of in zip(pairs, targets, strict=True) if of == t], axis=0) for t in sorted(set(targets))
    }
    means = []
    for _ in range(draws):
        means.append(np.mean([p[generator.integers(len(p), size=len(p))].mean() for p in by_target.values()]))
    low, high = np.quantile(means, [0.025, 0.975])
    return float(np.mean([p.mean() for p in by_target.values()])), float(low), float(high)


def verdict(run: Run, name: str) -> str:
    """Whether routed is shown to be better or worse than that system in that draw (Holm over the draw's systems)."""
    others = [other for other in run["systems"] if other in ORDER and other != ROUTED]
    ours = run["systems"][ROUTED]["values"]
    adjusted = holm([p_value(ours, run["systems"][other]["values"], seed=0) for other in others])
    if adjusted[others.index(name)] >= 0.05:
        return "neither"
    return "better" if fmean(ours) > fmean(run["systems"][name]["values"]) else "worse"


def each_draw(runs: Sequence[Run]) -> str:
    """Every draw: the main systems with intervals, and routed against the tuned single expert and the fresh LoRA."""
    lines = [
        "| target, draw | base with shots | best single, tuned | static | routed | fresh LoRA | random experts "
        "| routed - tuned single | routed - fresh LoRA | verdict |",
        "|---|---:|---:|---:|---:|---:|---:|---|---|---|",
    ]
    names = ("base-shots", "best-single-tuned", "static", ROUTED, "fresh-lora", "random-experts")
    for run in runs:
        cells = []
        for name in names:
            values = run["systems"].get(name, {}).get("values")
            low, high = bootstrap(values, seed=0) if values else (0.0, 0.0)
            cells.append(f"{100 * fmean(values):.1f} ({100 * low:.0f} to {100 * high:.0f})" if values else "–")
        for name in ("best-single-tuned", "fresh-lora"):
            mean, low, high = paired(run["systems"][ROUTED]["values"], run["systems"][name]["values"], seed=0)
            cells.append(f"{100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]")
        lines.append(f"| {run['target']}, {run['draw']} | " + " | ".join([*cells, ruling(run)]) + " |")
    return "\n".join(lines)


def ruling(run: Run) -> str:
    """The verdict of that draw, by the product's own rules on the systems that it always compares."""
    found = {
        name: Measured.model_validate({key: value for key, value in run["systems"][name].items() if key != "note"})
        for name in ORDER
        if name in run["systems"] and name not in PEERS
    }
    scores = []
    for name, each in found.items():
        low, high = bootstrap(each.values, seed=0)
        value, n = fmean(each.values), len(each.values)
        told = {"cost": each.cost, "tuning": each.tuning}
        scores.append(SystemScore(name=name, metric="exact_match", value=value, low=low, high=high, n=n, **told))
    return judge(scores, differences(found, 0))[0]


def experts(runs: Sequence[Run]) -> str:
    """Who was chosen, and who came first by K-shot."""
    lines = ["| target, draw | experts | first by K-shot |", "|---|---|---|"]
    for run in runs:
        names = ", ".join(repo.rsplit("/", 1)[-1] for repo in run["experts"])
        lines.append(f"| {run['target']}, {run['draw']} | {names} | {run['pool'][0].rsplit('/', 1)[-1]} |")
    return "\n".join(lines)


def tunings(runs: Sequence[Run]) -> str:
    """Which learning rate and how many epochs cross-validation chose."""
    lines = ["| target, draw | mixture | fresh LoRA | best single |", "|---|---|---|---|"]
    for run in runs:
        told = []
        for name in (ROUTED, "fresh-lora", "best-single-tuned"):
            tuning = run["systems"][name]["tuning"]
            told.append(f"{tuning['learning_rate']:g}, {tuning['epochs']} epochs")
        lines.append(f"| {run['target']}, {run['draw']} | " + " | ".join(told) + " |")
    return "\n".join(lines)


def variants(runs: Sequence[Run]) -> str:
    """Mixtures that differ in one thing: exact match of each target, and the mean difference to the main one."""
    names = list(dict.fromkeys(name for run in runs for name in run["systems"] if name not in ORDER))
    heads = [f"{run['target']}, {run['draw']}" for run in runs]
    lines = ["| mixture | " + " | ".join(heads) + " | minus the main one |", "|---" * (len(runs) + 2) + "|"]
    for name in (ROUTED, *names):
        having = [run for run in runs if name in run["systems"]]
        cells = [f"{100 * fmean(r['systems'][name]['values']):.1f}" if r in having else "–" for r in runs]
        if name == ROUTED:
            lines.append("| as in the tables above | " + " | ".join(cells) + " | |")
            continue
        pairs = [-_pair(run, name) for run in having]
        mean, low, high = stratified(pairs, [f"{run['target']}-{run['draw']}" for run in having])
        told = f"{100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {told} |")
    return "\n".join(lines)


def _pair(run: Run, name: str) -> Floats:
    """Routed minus the other, row by row."""
    ours, theirs = (np.asarray(run["systems"][each]["values"], dtype=np.float64) for each in (ROUTED, name))
    return np.subtract(ours, theirs)
