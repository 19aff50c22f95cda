"""What a mixture's forward costs, beside the base, one plain LoRA of the same size, and PEFT's own mixtures.

python benchmarks/mixture.py --base FOLDER [--experts 2,4,8,16] [--device cpu] [--threads 1] [--json FILE]
docs/benchmarks.md keeps the figures of one run.
"""

import argparse
import json
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from mixtures.measured import clock_of, decode, peak, prefill, ratio, rounds
from mixtures.systems import SYSTEMS, opened, write_experts, write_mixture

from hubexpert.lm import load_lm

TARGETS = (
    ("prefill", "routed", "plain", 1.10, True),
    ("decoding", "routed", "plain", 1.10, True),
    ("prefill", "routed", "arrow", 1.0, True),
    ("decoding", "routed", "arrow", 1.0, True),
    ("prefill", "x-lora", "routed", 5.0, False),
    ("decoding", "x-lora", "routed", 10.0, False),
    ("memory", "routed", "static", 1.10, True),
)
LEAST = 1e-4  # relative: the logits differ by more than rounding
SAME = 1e-5  # relative: equal but for rounding in float32
SLOW = "x-lora"
SLOW_ROUNDS = 3
MIB = 2**20


def main() -> int:
    asked = arguments()
    torch.set_num_threads(asked.threads)
    base = load_lm(asked.base, device=asked.device).model
    figures = {}
    for count in map(int, asked.experts.split(",")):
        with tempfile.TemporaryDirectory() as root:
            figures[count] = measured(base, count, Path(root), asked)
        print(f"\n{count} experts; base: {alone(figures[count])}\n\n{table(figures[count])}", flush=True)
    print(f"\n{verdicts(figures)}")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="a folder with a llama-like model")
    parser.add_argument("--experts", default="2,4,8,16", help="numbers of experts")
    parser.add_argument("--slow", default="4", help="numbers of experts at which X-LoRA is measured, too")
    parser.add_argument("--modules", default="q_proj,v_proj")
    parser.add_argument("--shared-rank", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--read", default="2x128", help="prompts x tokens of prefill")
    parser.add_argument("--write", default="1x32", help="prompts x tokens of decoding, and as many new ones")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


@torch.inference_mode()
def measured(base: Any, count: int, root: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """All figures at one number of experts."""
    experts = write_experts(base, root, count, asked.modules.split(","))
    mixture = write_mixture(base, experts, root, shared_rank=asked.shared_rank)
    slow = str(count) in asked.slow.split(",")
    names = [name for name in SYSTEMS if name != SLOW or slow]
    models = {name: opened(name, base, experts, mixture) for name in names}
    long, short = (tokens(base, *map(int, size.split("x"))) for size in (asked.read, asked.write))
    checked(models, long, base.dtype)
    clock, seconds = clock_of(base.device, asked.threads)
    works = {
        "prefill": {name: partial(prefill, model, long) for name, model in models.items()},
        "decoding": {name: partial(decode, model, short, short.shape[1]) for name, model in models.items()},
    }
    told = {kind: rounds(work, asked.rounds, {SLOW: SLOW_ROUNDS}, clock) for kind, work in works.items()}
    memory = {name: peak(work, base.device) for name, work in works["prefill"].items()}
    return {"seconds": seconds, "memory": memory, **told}


def tokens(base: Any, batch: int, count: int) -> torch.Tensor:
    """Random token ids [batch, count]."""
    made = torch.randint(base.config.vocab_size, (batch, count), generator=torch.Generator().manual_seed(0))
    return made.to(base.device)


def checked(models: dict[str, Any], ids: torch.Tensor, dtype: torch.dtype) -> None:
    """That no adapter was silently left off, and that the static form is the plain LoRA with the same weights."""
    logits = {name: prefill(model, ids).double() for name, model in models.items()}

    def differs(first: str, second: str) -> float:
        return float((logits[first] - logits[second]).norm() / logits[second].norm())

    for name in set(models) - {"base"}:
        assert differs(name, "base") > LEAST, f"{name} computes what the base does"
    assert differs("routed", "static") > LEAST, "the router changes nothing"
    if dtype == torch.float32:
        assert differs("static", "plain") < SAME, "the static form is not the plain LoRA"


def alone(figures: dict[str, Any]) -> str:
    """The base's own times, the median over rounds."""
    read, write = (median(seconds["base"] for seconds in figures[kind]) for kind in ("prefill", "decoding"))
    return f"{read:.2f} s of {figures['seconds']} for prefill, {write:.2f} s for decoding"


def table(figures: dict[str, Any]) -> str:
    """The systems as rows of Markdown: their times by the base's and by the plain LoRA's, and MiB of one prefill."""
    lines = ["| system | prefill / base | decoding / base | prefill / plain | decoding / plain | peak MiB |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    for name, held in figures["memory"].items():
        pairs = [(kind, other) for other in ("base", "plain") for kind in ("prefill", "decoding")]
        cells = [written(ratio(figures[kind], name, other)) for kind, other in pairs]
        lines.append(f"| {name} | {' | '.join(cells)} | {held / MIB:.1f} |")
    return "\n".join(lines)


def written(found: tuple[float, float, float]) -> str:
    return f"{found[0]:.2f} ({found[1]:.2f} to {found[2]:.2f})"


def verdicts(figures: dict[int, dict[str, Any]]) -> str:
    """Every target, at every number of experts, with whether the median meets it."""
    lines = ["| experts | | ratio | target | |", "|---|---|---:|---:|---|"]
    for count, found in figures.items():
        for kind, first, second, bound, below in TARGETS:
            if first not in found["memory"]:
                continue
            if kind == "memory":
                value = found["memory"][first] / found["memory"][second]
                text = f"{value:.3f}"
            else:
                value, low, high = ratio(found[kind], first, second)
                text = f"{value:.3f} ({low:.2f} to {high:.2f})"
            met = value <= bound if below else value >= bound
            wanted = f"{'≤' if below else '≥'} {bound:g} | {'met' if met else '**missed**'}"
            lines.append(f"| {count} | {kind}, {first} / {second} | {text} | {wanted} |")
    return "\n".join(lines)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="peft|transformers")
    sys.exit(main())
