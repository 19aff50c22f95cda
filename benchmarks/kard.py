"""What are passages and rationales worth to the mixture? Two targets whose answers rest on facts, one draw of 64 shots.

A Hub on this machine serves the facts as a dataset. The shots' own rationales are learned (no teacher), the reranker on
them alone. Beside it the same experts learn the bare answers.

python benchmarks/kard.py run --data FOLDER --work FOLDER [--only strategyqa,qasc]
python benchmarks/kard.py table
"""

import argparse
import gzip
import json
import random
from pathlib import Path
from typing import Any

import yaml
from poolscale.local import by_target

RESULTS = Path(__file__).parent / "results" / "kard"
SHOTS, ROWS = 64, 100
TRAIN = {"epochs": 3, "learning_rate": 1e-3, "folds": 0, "batch_size": 4, "top_k": 2, "shared_rank": 16}
CARD = "---\nlicense: cc-by-4.0\nconfigs:\n- config_name: default\n  data_files: facts.jsonl\n---\n"
# task -> its facts, and the adapters that were trained on it
TARGETS = {"strategyqa": ("strategyqa_facts", ["strategyqa-r4"]), "qasc": ("worldtree_science_facts", [])}
INSTRUCTION = "Answer the question."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    return by_target(parser, RESULTS, tuple(TARGETS), run, tables)


def run(asked: argparse.Namespace, target: str) -> None:
    """One target: the mixture with passages found in every way, and the same experts on bare answers."""
    from hubexpert import pipeline
    from hubexpert.evaluate import measured
    from hubexpert.lock import locked_kard
    from hubexpert.pipeline.kard_report import kard_report
    from hubexpert.pipeline.proof import evaluation
    from hubexpert.statistics import paired
    from hubexpert.systems.mixtures import routed
    from hubexpert.workspace import write_atomically

    name = serve(asked.work, asked.data, TARGETS[target][0])
    values: dict[str, Any] = {}
    told = None
    for way, data in (("kard", {"methods": ["kard"], "knowledge": name, "encoder": "packaged"}), ("bare", {})):
        recipe = write_project(asked.work / "projects" / f"{target}-{way}", asked.data / "tasks" / target, target, data)
        project = pipeline.open_project(recipe)
        arena = pipeline.contest(project)
        values[way] = measured(project.model, arena, routed(project.model, arena), evaluation(project)).values
        told = told or locked_kard(kard_report(project))
    assert told is not None
    result: dict[str, Any] = {
        "target": target,
        "train": TRAIN,
        "values": values,
        "report": told.model_dump(mode="json"),  # without the rationales, which are others' text
    }
    result["minus_bare"] = paired(values["kard"], values["bare"], seed=0)
    write_atomically(asked.results / f"{target}.json", json.dumps(result, indent=1) + "\n")


def serve(work: Path, data: Path, facts: str) -> str:
    """Put the facts into the Hub's store as a dataset; its name."""
    from hubexpert.localhub import Store

    name, folder = f"open/{facts.replace('_', '-')}", work / "datasets" / facts
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    (folder / "facts.jsonl").write_bytes(gzip.decompress((data / "knowledge" / f"{facts}.jsonl.gz").read_bytes()))
    Store(work / "hub").add_folder(name, folder, repo_type="dataset")
    return name


def write_project(folder: Path, task: Path, target: str, data: dict[str, Any]) -> Path:
    """The recipe and its examples: shots of the train file, held-out rows of the test file, facts as rationales."""
    from hubexpert.demo import BASE, OWNER
    from hubexpert.recipe import FREE_LICENSES
    from hubexpert.workspace import write_atomically

    for part, count, seed in (("train", SHOTS, 1), ("test", ROWS, 0)):
        rows = [json.loads(line) for line in (task / f"{part}.jsonl").read_text(encoding="utf-8").split("\n") if line]
        some = random.Random(seed).sample(rows, min(count, len(rows)))  # noqa: S311
        lines = "".join(json.dumps(example(row, part, data)) + "\n" for row in some)
        write_atomically(folder / "kshot" / f"{part}.jsonl", lines)
    recipe = {
        "base": BASE,
        "task": {"name": target, "instruction": INSTRUCTION, "shots": "kshot/train.jsonl", "test": "kshot/test.jsonl"},
        "discover": {
            "exclude": [f"{OWNER}/{adapter}" for adapter in TARGETS[target][1]],
            "licenses": ["unknown", *FREE_LICENSES],
            "datasets": 0,
        },
        "data": data,
        "experts": {"candidates": 8, "count": 4},
        "train": TRAIN,
    }
    path = folder / "hubexpert.yaml"
    write_atomically(path, yaml.safe_dump(recipe, sort_keys=False))
    return path


def example(row: dict[str, Any], part: str, data: dict[str, Any]) -> dict[str, Any]:
    """A row as an example; the mixture on bare answers learns from no rationale."""
    rationale = row.get("rationale") or " ".join(fact.strip() for fact in row["facts"])
    kept = {"rationale": rationale} if data or part == "test" else {}
    return {"input": row["input"], "output": row["target"], "choices": row["choices"], **kept}


def tables(folder: Path) -> str:
    """Everything as Markdown."""
    lines = []
    for path in sorted(folder.glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        report = told["report"]
        lines += [f"**{told['target']}**", "", "| passages | exact match | interval |", "|---|---:|---|"]
        for row in report["systems"]:
            lines.append(
                f"| {row['name']} | {100 * row['value']:.1f} | {100 * row['low']:.0f} to {100 * row['high']:.0f} |"
            )
        bare = 100 * sum(told["values"]["bare"]) / len(told["values"]["bare"])
        more, low, high = (100 * each for each in told["minus_bare"])
        lines += [
            f"| bare answers learned | {bare:.1f} | reranked minus it {more:+.1f} [{low:+.1f}, {high:+.1f}] |",
            "",
        ]
        lines += ["| found by | recall@1 | recall@5 | interval | questions |", "|---|---:|---:|---|---:|"]
        for row in report["retrieval"]:
            five = f"{row['recall_5']:.3f} | {row['low']:.3f} to {row['high']:.3f}"
            lines.append(f"| {row['name']} | {row['recall_1']:.3f} | {five} | {row['n']} |")
        cost = report["cost"]
        lines += [
            "",
            f"Tokens read {cost['prompt_tokens']} x, written {cost['answer_tokens']} x, time {cost['seconds']} x.",
            "",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
