"""What it takes to cut, index and search a million passages, beside bare bm25s in memory, and after a kill.

`python benchmarks/knowledge.py` needs `pip install -e '.[data]'`, no network, and texts: JSON lines with a column
`text`, of whose sentences it draws as many rows as are asked for. Each stage is a process of its own, so that its peak
memory is told. It prints a table in Markdown, and ends with 1 where a kill loses or changes anything.

    python benchmarks/knowledge.py --texts ../shared/data/knowledge --passages 1000000
"""

import argparse
import gzip
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hubexpert.knowledge import build as bm25
from hubexpert.knowledge import open_index, pinned, search
from hubexpert.knowledge.build import BM25, K1, B
from hubexpert.knowledge.terms import terms
from hubexpert.knowledge.write import DONE, Done, write_passages
from hubexpert.recipe import KnowledgeSection
from hubexpert.records import Source
from hubexpert.workspace import file_digest

ROWS, K, QUERIES, WORDS, OVERLAP = "rows.jsonl", 100, 200, 100, 20
LEAST, MOST = 30, 90  # words of a row: one passage each
MIB = 2.0**20
SECTION = KnowledgeSection(sources=(f"./{ROWS}",), words=WORDS, overlap=OVERLAP)


def sentences(folder: Path) -> list[str]:
    """All sentences of the texts in a folder."""
    found = []
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                found += re.split(r"(?<=[.!?])\s+", json.loads(line)["text"])
    return [sentence for sentence in found if sentence.strip()]


def drawn(said: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """Texts of 30 to 90 words, of sentences drawn at random; a few have a word of their own, as names are."""
    generator = random.Random(seed)  # noqa: S311
    for number in range(count):
        text: list[str] = []
        length = generator.randint(LEAST, MOST)
        while len(text) < length:
            text += generator.choice(said).split()
        if number % 3 == 0:
            text[0] = f"Name{number}"
        yield " ".join(text[:length])


def draw(folder: Path, count: int, texts: Path) -> dict[str, Any]:
    """Write the rows that passages are cut from, and queries: sentences that stand in some."""
    said = sentences(texts)
    with (folder / ROWS).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in drawn(said, count, 1))
    some = random.Random(2).sample(said, 3 * QUERIES)  # noqa: S311
    asked = [sentence for sentence in some if len(sentence.split()) >= 5]
    (folder / "queries.json").write_text(json.dumps(asked[:QUERIES]))
    return {"note": f"{len(said):,} sentences, {(folder / ROWS).stat().st_size / MIB:.0f} MiB"}


def queries(folder: Path) -> list[str]:
    found: list[str] = json.loads((folder / "queries.json").read_text())
    return found


def partial(folder: Path) -> Path:
    return next((folder / "indexes").glob("*.part"))


def sizes(folder: Path) -> str:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size > MIB / 100]
    return ", ".join(f"{path.name} {path.stat().st_size / MIB:.1f}" for path in files) + " MiB"


def sources(folder: Path) -> tuple[Source, ...]:
    return pinned(SECTION.sources, folder)


def write(folder: Path) -> dict[str, Any]:
    """Cut and write the passages, and no more."""
    found = sources(folder)
    begun = time.perf_counter()
    done = write_passages(folder / "written.part", found, SECTION, folder, quiet=True)
    return {"seconds": time.perf_counter() - begun, "note": f"{sum(done.counts):,}: {sizes(folder / 'written.part')}"}


def build(folder: Path) -> dict[str, Any]:
    begun = time.perf_counter()
    bm25.build(folder / "written.part", quiet=True)
    return {"seconds": time.perf_counter() - begun, "note": sizes(folder / "written.part" / BM25)}


def whole(folder: Path) -> dict[str, Any]:
    """Both, as a run does; in a process that others kill."""
    found = sources(folder)
    begun = time.perf_counter()
    index = open_index(folder / "indexes", found, SECTION, folder, quiet=True)
    return {"seconds": time.perf_counter() - begun, "note": f"{len(index):,} passages"}


def load(folder: Path) -> dict[str, Any]:
    found = sources(folder)
    begun = time.perf_counter()
    open_index(folder / "indexes", found, SECTION, folder, quiet=True)
    return {"seconds": time.perf_counter() - begun}


def searched(folder: Path) -> dict[str, Any]:
    """All queries through ours, memory-mapped; the second round is told, as the first reads the files."""
    index = open_index(folder / "indexes", sources(folder), SECTION, folder, quiet=True)
    asked = queries(folder)
    rounds = []
    for _ in range(3):
        begun = time.perf_counter()
        found = search(index, asked, K, quiet=True)
        rounds.append(time.perf_counter() - begun)
    np.savez(folder / "ours.npz", ids=np.array([hits.ids for hits in found], object))
    best = min(rounds[1:])
    note = f"{len(asked) / best:.0f} queries/s, k={K}, {os.environ['OMP_NUM_THREADS']} threads; first {rounds[0]:.1f} s"
    return {"seconds": best, "note": note, "speed": len(asked) / best}


def bare(folder: Path) -> dict[str, Any]:
    """The peer: bm25s over the same words, all in memory."""
    from bm25s import BM25 as library

    rows = [json.loads(line)["text"] for line in (folder / ROWS).open(encoding="utf-8")]
    begun = time.perf_counter()
    known: dict[str, int] = {}
    numbers = [[known.setdefault(term, len(known)) for term in terms(text, "en")] for text in rows]
    index = library(k1=K1, b=B, method="lucene")
    index.index((numbers, known), show_progress=False)
    built = time.perf_counter() - begun
    asked = [terms(query, "en") for query in queries(folder)]
    rounds = []
    for _ in range(3):
        begun = time.perf_counter()
        ids, scores = index.retrieve(asked, k=K, show_progress=False)
        rounds.append(time.perf_counter() - begun)
    np.savez(folder / "bare.npz", ids=ids, scores=scores)
    speed = len(asked) / min(rounds)
    return {"seconds": built, "note": f"cut into words and indexed; then {speed:.0f} queries/s", "speed": speed}


STAGES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "passages written": write,
    "index built": build,
    "whole": whole,
    "index opened": load,
    "searched": searched,
    "bare bm25s in memory": bare,
}


def started(stage: str, folder: Path, threads: int = 1) -> "subprocess.Popen[str]":
    command = [sys.executable, __file__, "--inside", stage, "--root", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def alone(stage: str, folder: Path, threads: int = 1) -> dict[str, Any]:
    """What a stage tells, run in a process of its own."""
    with started(stage, folder, threads) as process:
        said, _ = process.communicate()
    assert process.returncode == 0, stage
    found: dict[str, Any] = json.loads(said)
    return found


def killed(folder: Path, when: Callable[[Path], bool]) -> Done:
    """How far a run had come that was killed as soon as that held."""
    with started("whole", folder) as process:
        while process.poll() is None:
            found = [*(folder / "indexes").glob("*.part")]
            if found and when(found[0]):
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.01)
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    return done(partial(folder))


def done(part: Path) -> Done:
    return Done.model_validate_json((part / DONE).read_bytes())


def agreement(folder: Path) -> float:
    """The share of what bare bm25s finds, but for passages that tie with its last one, that ours finds."""
    ours, theirs = np.load(folder / "ours.npz", allow_pickle=True)["ids"], np.load(folder / "bare.npz")
    shares = []
    for found, ids, scores in zip(ours, theirs["ids"], theirs["scores"], strict=True):
        wanted = ids[scores > scores.min()]
        shares.append(np.isin(wanted, found.astype(np.int64)).mean() if len(wanted) else 1.0)
    return float(np.mean(shares))


def resumed(folder: Path, count: int) -> tuple[dict[str, dict[str, Any]], bool]:
    """Killed in the middle of writing and of indexing, and run again; whether what came of it is the same."""
    found = {}
    kept = killed(folder, lambda part: (part / DONE).is_file() and sum(done(part).counts) > count // 2)
    kept2 = killed(folder, lambda part: done(part).source == 1)
    found["killed while writing"] = {"note": f"{sum(kept.counts):,} of {count:,} passages were kept"}
    found["killed while indexing"] = {"note": f"all {sum(kept2.counts):,} passages were kept; the index is begun anew"}
    found["run again"] = alone("whole", folder)
    (made,) = (folder / "indexes").iterdir()
    names = ["passages.jsonl", "offsets.i64"]
    pairs = [(made / name, folder / "written.part" / name) for name in names]
    pairs += [(path, folder / "written.part" / BM25 / path.name) for path in (made / BM25).iterdir()]
    same = all(file_digest(one) == file_digest(other) for one, other in pairs)
    found["run again"]["note"] += "; every file is as without a kill" if same else "; FILES DIFFER"
    return found, same


def report(folder: Path, count: int, texts: Path) -> int:
    """Run all stages and print the table; 1 where a kill changed anything."""
    found = {"rows drawn": draw(folder, count, texts)}
    for stage in ("passages written", "index built"):
        found[stage] = alone(stage, folder)
    more, same = resumed(folder, count)
    found |= more
    shutil.rmtree(folder / "written.part")
    found["index opened"] = alone("index opened", folder)
    threads = os.cpu_count() or 1
    found[f"searched, {threads} threads"] = alone("searched", folder, threads)
    found["searched, 1 thread"] = alone("searched", folder)
    found["bare bm25s in memory"] = alone("bare bm25s in memory", folder)
    print("| stage | seconds | peak MiB | |\n|---|---:|---:|---|")
    for stage, figures in found.items():
        seconds = f"{figures['seconds']:.1f}" if "seconds" in figures else ""
        peak = f"{figures['peak'] / MIB:.0f}" if "peak" in figures else ""
        print(f"| {stage} | {seconds} | {peak} | {figures.get('note', '')} |")
    ours, theirs = found["searched, 1 thread"]["speed"], found["bare bm25s in memory"]["speed"]
    share = agreement(folder)
    print(f"\nSearching is {ours / theirs:.2f} times as fast as bare bm25s, and finds {share:.4f} of what it finds.")
    return 0 if same and share > 0.999 else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--texts", type=Path, help="a folder of `.jsonl.gz`")
    parser.add_argument("--root", type=Path, help="where the files lie for a while; by default the system's")
    parser.add_argument("--inside", choices=[*STAGES], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        found = STAGES[options.inside](options.root)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(found | {"peak": peak}))
        return 0
    if options.texts is None:
        parser.error("--texts is needed")
    with tempfile.TemporaryDirectory(prefix="hubexpert-knowledge-", dir=options.root) as folder:
        return report(Path(folder), options.passages, options.texts)


if __name__ == "__main__":
    sys.exit(main())
