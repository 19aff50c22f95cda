"""Does the mixture beat the cheaper things? Five target tasks, three draws of 32 shots, the bank of sixteen adapters.

Every draw is a project of its own that the pipeline runs: discovery on a Hub on this machine, scoring, selection,
tuning by cross-validation, training, evaluation. Adapters trained on the target's own data are left out. Whatever is
finished is kept in --work and in --results; a second run goes on from there. The tables are made of --results alone.

python benchmarks/quality.py run --tasks-root FOLDER --work FOLDER [--only slots:0,banking:2] [--variants a,b]
python benchmarks/quality.py table
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from poolscale.local import hub_with_bank
from quality_runs.targets import TARGETS, write_project

RESULTS = Path(__file__).parent / "results" / "quality"
DRAWS = 3
LAST = ("random-experts", "arrow")  # systems that a finished draw has
TRAIN = {"epochs": 5, "learning_rate": [1e-3, 3e-3], "folds": 2, "batch_size": 4, "top_k": 2, "shared_rank": 16}


def main() -> int:
    asked = arguments()
    if asked.what == "table":
        from quality_runs.tables import tables

        print(tables(asked.results))
        return 0
    every = [f"{name}:{draw}" for draw in range(DRAWS) for name in TARGETS]
    with hub_with_bank(asked.work, asked.port):
        for one in asked.only.split(",") if asked.only else every:
            name, _, draw = one.partition(":")
            run(asked, name, int(draw))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--tasks-root", type=Path, help="folder of <task>/{train,test}.jsonl")
    parser.add_argument("--work", type=Path, default=Path(".cache/quality"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--only", default="", help="TASK:DRAW, several by commas; by default all")
    parser.add_argument("--variants", default="", help="names of variants, several by commas; by default none")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "0")))
    return parser.parse_args()


def run(asked: argparse.Namespace, name: str, draw: int) -> None:
    """One draw of one target: the comparison, then the variants; written to the results after every system."""
    from quality_runs.variants import VARIANTS, chosen, system

    from hubexpert import pipeline
    from hubexpert.evaluate import measured
    from hubexpert.records import Measured
    from hubexpert.systems import systems
    from hubexpert.workspace import write_atomically

    file, wanted = asked.results / f"{name}-{draw}.json", [label for label in asked.variants.split(",") if label]
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if found.get("train") == TRAIN and {*LAST, *wanted} <= {*found["systems"]}:
        return  # measured, whether its project is still there or not
    recipe = write_project(asked.work / "projects" / f"{name}-{draw}", asked.tasks_root, name, draw, TRAIN)
    project = pipeline.open_project(recipe)
    contest = pipeline.contest(project)
    table = {score.source.repo: score.model_dump(mode="json") for score in pipeline.score(project).scores}
    journal = project.workspace.journal("evaluation")
    found |= {
        "target": name,
        "draw": draw,
        "train": TRAIN,
        "experts": [source.repo for source in contest.experts],
        "pool": [source.repo for source in contest.pool],
        "scores": table,
        "build": contest.build.model_dump(mode="json", exclude={"shares", "packages", "files"}),
    }
    found.setdefault("systems", {})

    def keep(label: str, note: str, result: Measured) -> None:
        found["systems"][label] = {"note": note, **result.model_dump(mode="json")}
        write_atomically(file, json.dumps(found) + "\n")
        mean = sum(result.values) / len(result.values)
        print(f"{name}:{draw} {label}: {mean:.3f} ({note})", flush=True)

    for each in systems(project.model, contest):
        keep(each.name, each.note, measured(project.model, contest, each, journal))
    for label in wanted:
        variant = system(project.model, contest, label, chosen(project, VARIANTS[label].choice, contest.experts))
        keep(label, variant.note, measured(project.model, contest, variant, journal))


if __name__ == "__main__":
    raise SystemExit(main())
