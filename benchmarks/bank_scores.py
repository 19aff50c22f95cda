"""Scores of the whole bank on every row of a file, for `halving.py --scores`: adapter -> values and NLLs.

python benchmarks/bank_scores.py ROWS.jsonl --instruction TEXT --out FILE [--limit N] [--without ADAPTER,…]
"""

import argparse
import json
import sys
from pathlib import Path

from poolscale.local import EXAMPLES, engine_scores, hub_with_bank

from hubexpert import demo


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--instruction", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--without", default="", help="adapters trained on the same data")
    parser.add_argument("--root", type=Path, default=Path(".benchmark"), help="keeps the base and the Hub")
    parser.add_argument("--port", type=int, default=8391)
    options = parser.parse_args()
    with hub_with_bank(options.root.resolve(), options.port) as base:
        from poolscale.pool import bank

        from hubexpert.lm import load_lm
        from hubexpert.shots import read_examples

        rows = read_examples(options.rows, instruction=options.instruction)[: options.limit]
        names = [folder.name for folder in bank(EXAMPLES) if folder.name not in options.without.split(",")]
        repos = [f"{demo.OWNER}/{name}" for name in names]
        scores = engine_scores(options.out.with_suffix(".journal"), load_lm(base, device="cpu"), repos, rows)
    options.out.write_text(json.dumps({name: {"values": v, "nlls": n} for name, (v, n) in scores.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
