"""Train one of the bank's adapters again, from the rows beside it.

    python examples/retrain.py banking77-r16 --base .demo/base --out retrained/banking77-r16

The settings come from the adapter's `training.json`; the rows are the 240 of `examples/datasets`, drawn from the same
split as the bank's, so the result is like the bank's adapter and not equal to it.
"""

import argparse
import json
from pathlib import Path

from peft import LoraConfig, get_peft_model

from hubexpert.lm import Lm, encode, load_lm
from hubexpert.recipe import TrainSection
from hubexpert.shots import read_examples
from hubexpert.train import train

HERE = Path(__file__).parent
ROWS = {
    "arc-easy-r8": "allenai__ai2_arc",
    "banking77-r16": "PolyAI__banking77",
    "commonsenseqa-r8": "tau__commonsense_qa",
    "gsm8k-r16": "openai__gsm8k",
    "openbookqa-r8": "allenai__openbookqa",
    "snips-intent-r8": "snips__intents",
    "snips-slots-r16": "snips__slots",
}


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(ROWS))
    parser.add_argument("--base", type=Path, required=True, help="the base's folder, .demo/base after `make demo`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=240)
    given = parser.parse_args()
    settings = json.loads((HERE / "bank" / given.name / "training.json").read_text(encoding="utf-8"))
    examples = read_examples(HERE / "datasets" / ROWS[given.name] / "data")[: given.rows]
    lm = load_lm(given.base)
    config = LoraConfig(
        r=settings["r"],
        lora_alpha=settings["alpha"],
        target_modules=settings["targets"],
        use_rslora=settings["rslora"],
        task_type="CAUSAL_LM",
    )
    model = Lm(get_peft_model(lm.model, config), lm.tokenizer)
    encoded = [encode(lm.tokenizer, e, f"{e.rationale}\n{e.output}" if e.rationale else e.output) for e in examples]
    section = TrainSection(epochs=settings["epochs"], learning_rate=settings["lr"], batch_size=settings["batch"])
    losses = train(model, encoded, section, given.out / "checkpoints", seed=0, label=f"training {given.name}")
    model.model.save_pretrained(given.out)
    print(f"mean loss of each epoch: {', '.join(f'{loss:.2f}' for loss in losses)}; saved in {given.out}")


if __name__ == "__main__":
    main()
