"""What `experts.budget: halving` saves and costs, simulated from published accuracies or replayed on real scores.

The tables it prints stand in docs/benchmarks.md, the figure in docs/figures/halving.png.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from budget.answers import Cell, Floats, published
from budget.methods import plans
from budget.replay import read_scores, replay
from budget.simulate import CANDIDATES, COUNT, OURS, Method, Regrets, simulated, together, with_perplexity, within
from matplotlib import pyplot

from hubexpert.experts.halving import SAVING, finalists

SHOTS: tuple[int | None, ...] = (50, 100, 200, 400, 1000, None)  # None: as many as the task's test has
RHO, RHOS = 0.3, (0.0, 0.3, 0.6)
PANELS = (50, 200, 1000)
SAVINGS = (1.5, 2.0, 3.0, float(SAVING), 6.0)
METHODS = {
    "halving": "C0",
    "halving, no early drops": "C9",
    "sequential halving": "C1",
    "successive rejects": "C2",
    "full on fewer shots": "C3",
    "random search": "C7",
}
SUMMARY = ("saved", "regret ≤ 1", "95th percentile", "mean regret")
Results = Mapping[tuple[int | None, float], Mapping[str, Mapping[Method, Regrets]]]  # (K, rho) -> cell -> method


def simulate(cells: Sequence[Cell], draws: int, generator: np.random.Generator) -> Results:
    """Every number of shots and every correlation; for the panels every method and saving."""
    wide = [(name, saving) for saving in SAVINGS for name in METHODS]
    panels = [(shots, RHO) for shots in PANELS]
    return {
        (shots, rho): {
            f"{cell.task}, {cell.base}": simulated(
                cell.accuracies, shots or cell.tests, rho, draws, generator, wide if (shots, rho) in panels else [OURS]
            )
            for cell in cells
        }
        for shots in SHOTS
        for rho in RHOS
    }


def overall(results: Results) -> str:
    rows = []
    for (shots, rho), cells in results.items():
        all_ = together(cell[OURS] for cell in cells.values())
        good = sum(within(cell[OURS].pick) >= 0.95 for cell in cells.values())
        against = [f"{all_.full_best.mean():.2f}", f"{all_.best.mean():.2f}", _percent(within(all_.again))]
        told = [*_summary(all_), f"{good} of {len(cells)}", *against, f"{all_.group.mean():.2f}"]
        rows.append([_shots(shots), str(rho), *told])
    columns = (
        *("K", "ρ", *SUMMARY, "cells ≥ 95 %", "full, against the best", "halving, against the best"),
        *("full on other shots: regret ≤ 1", f"mean regret of {COUNT}"),
    )
    return _table(columns, rows)


def by_cell(results: Results) -> str:
    rows = []
    for name in results[SHOTS[0], RHO]:
        found = [results[shots, RHO][name][OURS] for shots in SHOTS]
        rows.append([name, *(f"{_percent(within(one.pick))} ({one.high:.1f})" for one in found)])
    return _table(("task and base", *(f"K = {_shots(shots)}" for shots in SHOTS)), rows)


def by_method(results: Results) -> str:
    rows = []
    for shots in PANELS:
        for name in METHODS:
            found = together(cell[name, SAVING] for cell in results[shots, RHO].values())
            plan = plans(39, shots, finalists(39, CANDIDATES, COUNT), SAVING)[name][0]
            loads = str(sum(rung.survivors for rung in plan))
            rows.append([name, str(shots), *_summary(found), f"{found.group.mean():.2f}", loads])
    return _table(("method", "K", *SUMMARY, f"mean regret of {COUNT}", "loads of an adapter"), rows)


def by_saving(results: Results) -> str:
    rows = []
    for shots in PANELS:
        found = [together(cell["halving", saving] for cell in results[shots, RHO].values()) for saving in SAVINGS]
        rows.append([str(shots), *(f"{_percent(within(one.pick))} ({one.saved.mean():.2f})" for one in found)])
    return _table(("K", *(f"{saving:g} times" for saving in SAVINGS)), rows)


def by_pool(cells: Sequence[Cell], draws: int, generator: np.random.Generator) -> str:
    """Other sizes of the pool: part of the paper's, or accuracies from a normal with their mean and spread."""
    rows = []
    for size in (12, 16, 24, 32, 39, 80, 200):
        for shots in (50, 200):
            found = []
            for cell in cells:
                for _ in range(max(1, draws // 100)):
                    truth = _pool(cell.accuracies, size, generator)
                    found.append(simulated(truth, shots, RHO, 100, generator, [OURS])[OURS])
            all_ = together(found)
            rows.append([str(size), str(shots), *_summary(all_), f"{all_.group.mean():.2f}"])
    return _table(("adapters", "K", *SUMMARY, f"mean regret of {COUNT}"), rows)


def by_both(cells: Sequence[Cell], draws: int, generator: np.random.Generator) -> str:
    rows = []
    for shots in (50, 200):
        for noise in (0.0, 1.0, 3.0):
            found = [with_perplexity(cell.accuracies, shots, noise, draws, generator) for cell in cells]
            all_ = together(found)
            rows.append([str(shots), str(noise), *_summary(all_), f"{all_.group.mean():.2f}"])
    return _table(("K", "noise of the NLL", *SUMMARY, f"mean regret of {COUNT}"), rows)


def replayed(path: Path, draws: int, seed: int) -> str:
    scores = read_scores(path)
    rows = []
    for by in (("exact_match", "perplexity"), ("exact_match",), ("perplexity",)):
        for keep in (2, COUNT + 1):
            for shots in sorted({min(shots, scores.values.shape[1]) for shots in (50, 100, 200)}):
                one = replay(scores, shots=shots, keep=keep, count=COUNT, by=by, draws=draws, seed=seed)
                regret = 100 * one.regret
                told = [f"{one.saved.mean():.2f}", _percent(within(regret)), f"{np.quantile(regret, 0.95):.1f}"]
                told += [f"{regret.mean():.2f}", f"{100 * one.group.mean():.2f}", _percent(float(one.same.mean()))]
                rows.append([" + ".join(by), str(keep), str(shots), *told])
    group = f"the best (all finalists, {COUNT} at most)"
    columns = ("ranks", "finalists", "K", *SUMMARY, f"mean regret of {group}", f"the same in {group}")
    return f"{path.stem}: {len(scores.adapters)} adapters\n\n" + _table(columns, rows)


def draw_figure(results: Results, path: Path) -> None:
    """Evaluations saved against the 95th percentile of the regret: a curve a method, a panel for each of three K."""
    mpl.use("agg")
    figure, panels = pyplot.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")
    for panel, shots in zip(panels, PANELS, strict=True):
        for name, colour in METHODS.items():
            if name.endswith("drops"):
                continue  # lies on the curve of halving
            found = [together(cell[name, saving] for cell in results[shots, RHO].values()) for saving in SAVINGS]
            saved, high = [one.saved.mean() for one in found], [one.high for one in found]
            panel.plot(saved, high, "o-", color=colour, label=name, markersize=3, linewidth=1.2)
        panel.axhline(1, color="black", linewidth=0.6, linestyle=":")
        panel.axvline(SAVING, color="black", linewidth=0.6, linestyle=":")
        panel.set(title=f"K = {shots}", xlabel="times fewer evaluations than full", xscale="log")
        panel.set_xticks(SAVINGS, [f"{saving:g}" for saving in SAVINGS])
        panel.minorticks_off()
    panels[0].set_ylabel("95th percentile of the regret, points")
    panels[0].legend(fontsize=7, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, metadata={"Software": None})


def _pool(accuracies: Floats, size: int, generator: np.random.Generator) -> Floats:
    if size <= len(accuracies):
        return generator.choice(accuracies, size, replace=False)
    return np.clip(generator.normal(accuracies.mean(), accuracies.std(), size), 0.01, 0.99)


def _shots(shots: int | None) -> str:
    return "test size" if shots is None else str(shots)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _summary(found: Regrets) -> list[str]:
    return [f"{found.saved.mean():.2f}", _percent(within(found.pick)), f"{found.high:.1f}", f"{found.pick.mean():.2f}"]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join(['---', *['---:'] * (len(columns) - 1)])}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000, help="for each task, base, K and correlation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path, help="where the figure is written")
    parser.add_argument("--scores", type=Path, nargs="+", help="replay these files of full scores instead")
    chosen = parser.parse_args()
    if chosen.scores:
        for path in chosen.scores:
            print(replayed(path, chosen.draws, chosen.seed))
        return
    generator, cells = np.random.default_rng(chosen.seed), published()
    results = simulate(cells, chosen.draws, generator)
    print("### Overall\n", overall(results), "### By task and base, ρ = 0.3\n", by_cell(results), sep="\n")
    print("### By method, ρ = 0.3\n", by_method(results), "### By saving, ρ = 0.3\n", by_saving(results), sep="\n")
    print("### By size of the pool, ρ = 0.3\n", by_pool(cells, chosen.draws, generator), sep="\n")
    print("### With perplexity\n", by_both(cells, max(1, chosen.draws // 10), generator), sep="\n")
    if chosen.figure:
        draw_figure(results, chosen.figure)


if __name__ == "__main__":
    main()
