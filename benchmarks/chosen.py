"""What do rows of open datasets add to the shots, and does it matter which? Three targets, one draw of 32 shots each.

A Hub on this machine serves the task sets and P3 as datasets, without the target's own, and for each target a set of
near-copies of its held-out rows, all of which must be removed. `hubexpert data --ablation` does the rest.

python benchmarks/chosen.py run --data FOLDER --work FOLDER [--only requests,science,banking]
python benchmarks/chosen.py table
"""

import argparse
import gzip
import json
from pathlib import Path
from typing import Any

import yaml
from poolscale.local import by_target
from quality_runs.targets import write_project

RESULTS = Path(__file__).parent / "results" / "chosen"
OWNER = "open"
# each with the task sets that hold its own questions
OWN = {
    "requests": ("snips_intent", "snips_slots"),
    "science": ("arc_easy", "arc_challenge"),
    "banking": ("clinc150",),
}
TRAIN = {"epochs": 3, "learning_rate": 1e-3, "folds": 0, "batch_size": 4, "top_k": 2, "shared_rank": 16}
DATA = {"methods": ["select"], "rows": 200, "per_dataset": 1000, "encoder": "packaged"}
CARD = "---\nlicense: apache-2.0\nconfigs:\n- config_name: default\n  data_files: rows.jsonl\n---\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brief", action="store_true", help="no row for duplicates and for beacons")
    return by_target(parser, RESULTS, tuple(OWN), run, tables)


def run(asked: argparse.Namespace, target: str) -> None:
    """One target: what was chosen, what was removed, and what each choice is worth; written to the results."""
    from hubexpert import pipeline
    from hubexpert.workspace import write_atomically

    recipe = write_project(asked.work / "projects" / target, asked.data / "tasks", target, 0, TRAIN)
    names = serve(asked.work, asked.data, target, recipe.parent / "kshot" / "test.jsonl")
    told = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    columns = {name: {"input": ["input"], "output": "target", "choices": ["choices"]} for name in names}
    told["data"] = {**DATA, "datasets": names}
    told["discover"]["columns"] = columns
    told["evaluate"] = {"contributions": 0}
    write_atomically(recipe, yaml.safe_dump(told, sort_keys=False))
    made = pipeline.data(pipeline.open_project(recipe))
    # the mixture whose experts, learning rate and epochs all rows share learns from the shots alone
    told["data"]["methods"] = []
    write_atomically(recipe, yaml.safe_dump(told, sort_keys=False))
    project = pipeline.open_project(recipe)
    result: dict[str, Any] = {"target": target, "train": TRAIN, "data": DATA}
    result["datasets"] = [use.model_dump(mode="json") for use in made.datasets]
    result["methods"] = [report.model_dump(mode="json", exclude={"samples"}) for report in made.methods]
    result["ablation"] = [row.model_dump(mode="json") for row in pipeline.ablation(project, briefly=asked.brief)]
    write_atomically(asked.results / f"{target}.json", json.dumps(result, indent=1) + "\n")


def serve(work: Path, data: Path, target: str, test: Path) -> list[str]:
    """Put the datasets into the Hub's store; their names."""
    from hubexpert.localhub import Store

    texts = {
        path.parent.name.replace("_", "-"): path.read_text(encoding="utf-8")
        for path in sorted((data / "tasks").glob("*/train.jsonl"))
        if path.parent.name not in OWN[target]
    }
    texts["p3"] = gzip.decompress((data / "instructions" / "p3.jsonl.gz").read_bytes()).decode("utf-8")
    texts[f"planted-{target}"] = planted(test)
    store = Store(work / "hub")
    for name, text in texts.items():
        folder = work / "datasets" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "README.md").write_text(CARD, encoding="utf-8")
        (folder / "rows.jsonl").write_text(plain(text), encoding="utf-8")
        store.add_folder(f"{OWNER}/{name}", folder, repo_type="dataset")
    return [f"{OWNER}/{name}" for name in texts]


def plain(text: str) -> str:
    """The rows with the columns that all of them have."""
    found = [json.loads(line) for line in text.split("\n") if line]
    kept = [{"input": row["input"], "target": row["target"], "choices": row.get("choices") or []} for row in found]
    return "".join(json.dumps(row) + "\n" for row in kept)


def planted(test: Path) -> str:
    """Near-copies of held-out rows: in capitals, without punctuation, within a longer text, with one word more."""
    ways = (
        str.upper,
        lambda text: "".join(c for c in text if c.isalnum() or c.isspace()),
        lambda text: f"Somebody asked me this today.\n{text}\nWhat would you have said?",
        lambda text: f"{text} please",
    )
    held_out = [json.loads(line) for line in test.read_text(encoding="utf-8").split("\n") if line]
    copies = [{"input": ways[i % 4](row["input"]), "target": row["output"]} for i, row in enumerate(held_out)]
    return "".join(json.dumps(copy) + "\n" for copy in copies)


def tables(folder: Path) -> str:
    """Everything as Markdown."""
    lines = []
    for path in sorted(folder.glob("*.json")):
        run_ = json.loads(path.read_text(encoding="utf-8"))
        taken = sorted(run_["datasets"], key=lambda use: -use["taken"].get("select", 0))
        lines += [f"**{run_['target']}**", "", "| rows of | read | removed | taken by select |", "|---|---:|---|---:|"]
        for use in taken:
            if use["taken"] or "planted" in use["source"]["repo"]:
                removed = ", ".join(f"{code} {count}" for code, count in use["removed"].items())
                count = use["taken"].get("select", 0)
                lines.append(f"| {use['source']['repo'].split('/')[1]} | {use['read']} | {removed} | {count} |")
        head = "| trained on | examples | exact match | minus the shots alone | minus random rows |"
        lines += ["", head, "|---|---:|---:|---|---|"]
        for row in run_["ablation"]:
            over = {
                each["second"]: [100 * each[key] for key in ("value", "low", "high")] for each in row["differences"]
            }
            told = [
                "{:+.1f} [{:+.1f}, {:+.1f}]".format(*over[other]) if other in over else ""
                for other in ("the shots alone", "random")
            ]
            lines.append(f"| {row['name']} | {row['examples']} | {100 * row['value']:.1f} | {' | '.join(told)} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
