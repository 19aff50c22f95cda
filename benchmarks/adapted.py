"""Does adapted perplexity choose better adapters than exact match and perplexity? See docs/adapted.md.

Each target's own adapters are left out of the pool. Every adapter of the pool, and a fresh LoRA, is scored on the shots
in three ways, then trained on all shots and asked the held-out rows: what a rule chose is compared with what it could
have chosen. Everything finished lies in the journal; a second run goes on from there.

python benchmarks/adapted.py --base FOLDER --tasks-root FOLDER --journal FILE [--tasks a,b] [--json FILE]
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from hubexpert import lm
from hubexpert.examine import Answers, answer_length, examine
from hubexpert.experts.adapted import Adaptation, adapt, adapted_nlls, fresh
from hubexpert.experts.select import ranks
from hubexpert.factors import Factors, read_factors
from hubexpert.lm import Encoded, Lm, load_lm
from hubexpert.reading.prefix import shared
from hubexpert.records import Example
from hubexpert.slots import applied
from hubexpert.statistics import paired
from hubexpert.workspace import Journal, fingerprint, write_atomically

BANK = Path(__file__).parents[1] / "examples" / "bank"
METRIC = "exact_match"
FRESH = "fresh-lora"
TUNING = Adaptation(epochs=5, learning_rate=2e-3)  # what every adapter of the pool is trained with
OTHER_RATES = (4e-3,)  # what the chosen ones and the fresh LoRA are trained with besides
FRESH_RANK = 16
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
FORMS = {"alone": LINEAR[:4], "padded": LINEAR}  # the modules of the fresh LoRA


@dataclass(frozen=True)
class Target:
    """A task: where its label stands, how many labels are used (drawn; 0: all), adapters trained on the same data."""

    data: str
    instruction: str
    same: tuple[str, ...]
    label: str = "target"
    labels: int = 0


TARGETS = {
    "snips-intent": Target("snips_intent", "Name the intent of the request.", ("snips-intent-r8", "snips-slots-r16")),
    "banking-16": Target(
        "banking77", "Name the banking intent of the customer message.", ("banking77-r16",), labels=16
    ),
    "clinc-domain": Target("clinc150", "Name the domain of the request.", ("clinc-r8",), label="domain"),
    "sms-spam": Target("sms_spam", "Is this text message spam or not spam?", ("sms-spam-r4",)),
}


@dataclass(frozen=True)
class Scene:
    """One target with its rows drawn and encoded."""

    name: str
    shots: tuple[Example, ...]
    test: tuple[Example, ...]
    encoded: tuple[Encoded, ...]
    seed: int


def main() -> int:
    asked = arguments()
    torch.manual_seed(asked.seed)
    model = load_lm(asked.base, device=asked.device)
    journal = Journal(asked.journal)
    adaptation = Adaptation(
        folds=asked.folds, epochs=asked.epochs, learning_rate=asked.learning_rate, batch_size=asked.batch_size
    )
    found = {}
    for name in asked.tasks.split(","):
        scene = draw(name, asked, model)
        pool = sorted(
            p.parent.name for p in BANK.glob("*/adapter_config.json") if p.parent.name not in TARGETS[name].same
        )
        found[name] = measured(model, scene, pool, asked.form, adaptation, journal)
        if asked.json:
            write_atomically(asked.json, json.dumps(found, indent=1))
        print(report(name, found[name]), flush=True)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="the folder of SmolLM2-135M-Instruct")
    parser.add_argument("--tasks-root", type=Path, required=True, help="folder of <task>/{train,test}.jsonl")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TARGETS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--device")
    parser.add_argument("--shots", type=int, default=32)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--form", choices=FORMS, default="alone", help="adapters as they are, or all of one capacity")
    usual = Adaptation()
    parser.add_argument("--folds", type=int, default=usual.folds)
    parser.add_argument("--epochs", type=int, default=usual.epochs)
    parser.add_argument("--learning-rate", type=float, default=usual.learning_rate)
    parser.add_argument("--batch-size", type=int, default=usual.batch_size)
    return parser.parse_args()


def draw(name: str, asked: argparse.Namespace, model: Lm) -> Scene:
    """The target's shots and held-out rows, drawn with the seed."""
    target, dice = TARGETS[name], random.Random(asked.seed)  # noqa: S311  no secret
    rows = {part: read(asked.tasks_root / target.data / f"{part}.jsonl", target) for part in ("train", "test")}
    labels = sorted({e.output for e in rows["test"]})
    kept = set(dice.sample(labels, target.labels) if target.labels else labels)
    shots, test = (
        tuple(dice.sample([e for e in rows[part] if e.output in kept], count))
        for part, count in (("train", asked.shots), ("test", asked.rows))
    )
    return Scene(name, shots, test, tuple(lm.encode(model.tokenizer, e, e.output) for e in shots), asked.seed)


def read(path: Path, target: Target) -> list[Example]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Example(instruction=target.instruction, input=row["input"], output=row[target.label].replace("_", " "))
        for row in rows
        if row.get(target.label)
    ]


def measured(
    model: Lm, scene: Scene, pool: Sequence[str], form: str, adaptation: Adaptation, journal: Journal
) -> dict[str, Any]:
    """Everything about one target: name -> its scores and what it does when trained, and the rules' choices."""
    done = journal.read()

    def once(what: str, name: str, settings: object, make: Callable[[], object]) -> Any:
        key = fingerprint([what, name, settings, scene.name, scene.seed, list(scene.shots), list(scene.test)])
        if key not in done:
            begun = time.process_time()
            done[key] = {"of": f"{scene.name} {what} {name}", "value": make(), "seconds": time.process_time() - begun}
            journal.append(key, done[key])
            print(f"{done[key]['of']}: {done[key]['seconds']:.0f} s of CPU", flush=True)
        return done[key]

    def factors(name: str) -> Factors:
        new = fresh(model.model, FORMS[form], FRESH_RANK, seed=scene.seed)
        if name == FRESH:
            return new
        return read_factors(BANK / name) if form == "alone" else padded(read_factors(BANK / name), new)

    def setting(adaptation: Adaptation) -> dict[str, Any]:
        return {**asdict(adaptation), "form": form} if form != "alone" else asdict(adaptation)

    def trained(name: str, tuning: Adaptation) -> list[float]:
        what = "trained" if form == "alone" else f"trained {form}"
        done = once(what, name, setting(tuning), lambda: answers_when_trained(model, factors(name), scene, tuning))
        values: list[float] = done["value"]
        return values

    found: dict[str, dict[str, Any]] = {name: {} for name in (*pool, FRESH)}
    for name in pool:
        plain = once("plain", name, METRIC, partial(score, model, read_factors(BANK / name), scene))
        found[name] |= {"exact_match": fmean(plain["value"]["values"]), "seconds_plain": plain["seconds"]}
        found[name]["perplexity"] = Answers(**plain["value"]).perplexity
    for name in found:
        nlls = once(
            "adapted" if form == "alone" else f"adapted {form}",
            name,
            setting(adaptation),
            partial(adapted_nlls, model, factors(name), scene.encoded, adaptation, seed=scene.seed),
        )
        found[name] |= {"adapted": nlls["value"], "seconds_adapted": nlls["seconds"]}
    for name in found:
        found[name]["trained"] = trained(name, TUNING)
    chosen = choices({name: found[name] for name in pool})
    for rate in OTHER_RATES:
        for name in dict.fromkeys([*(order[0] for order in chosen.values()), FRESH]):
            found[name][f"trained at {rate:g}"] = trained(name, replace(TUNING, learning_rate=rate))
    return {"adapters": found, "choices": chosen, "adaptation": asdict(adaptation), "tuning": asdict(TUNING)}


def padded(factors: Factors, new: Factors) -> Factors:
    """The adapter with the directions of a fresh LoRA, zero so far: cut to one rank all are of one size."""
    a = {
        module: torch.cat([factors.a[module], rows]) if module in factors.a else rows for module, rows in new.a.items()
    }
    b = {
        module: torch.cat([factors.b[module], rows], 1) if module in factors.b else rows
        for module, rows in new.b.items()
    }
    return Factors(a, b)


def score(model: Lm, factors: Factors, scene: Scene) -> dict[str, Sequence[float]]:
    """What the adapter does on the shots as it is."""
    with applied(model.model, factors):
        longest = answer_length(model.tokenizer, scene.shots)
        return asdict(examine(model, scene.shots, METRIC, max_new_tokens=longest)[0])


def answers_when_trained(model: Lm, factors: Factors, scene: Scene, tuning: Adaptation) -> list[float]:
    """Exact match of every held-out row after training on all shots."""
    begins = shared(model, scene.encoded)
    tuned = adapt(model, factors, scene.encoded, tuning, begins=begins, seed=scene.seed)
    with applied(model.model, tuned):
        longest = answer_length(model.tokenizer, scene.shots)
        return list(examine(model, scene.test, METRIC, max_new_tokens=longest)[0].values)


def choices(pool: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Rule -> the pool in the order it would choose."""
    names = list(pool)
    em = ranks([-pool[name]["exact_match"] for name in names])
    ppl = ranks([pool[name]["perplexity"] for name in names])
    adapted = ranks([fmean(pool[name]["adapted"]) for name in names])
    rules = {
        "exact match": em,
        "perplexity": ppl,
        "exact match + perplexity": [sum(each) for each in zip(em, ppl, strict=True)],
        "adapted": adapted,
        "all three": [sum(each) for each in zip(em, ppl, adapted, strict=True)],
    }
    return {
        rule: [names[i] for i in sorted(range(len(names)), key=lambda i: (places[i], ppl[i]))]  # ties as in `select`
        for rule, places in rules.items()
    }


def report(name: str, found: dict[str, Any]) -> str:
    """The target's tables, in Markdown."""
    adapters = found["adapters"]
    pool = [each for each in adapters if each != FRESH]
    truth = {each: fmean(adapters[each]["trained"]) for each in adapters}
    lines = [
        f"### {name}",
        "",
        "| adapter | exact match | perplexity | adapted NLL | trained |",
        "|---|---:|---:|---:|---:|",
    ]
    for each in sorted(adapters, key=lambda each: -truth[each]):
        found_em, found_ppl = (adapters[each].get(key, float("nan")) for key in ("exact_match", "perplexity"))
        lines.append(
            f"| {each} | {found_em:.3f} | {found_ppl:.3g} "
            f"| {fmean(adapters[each]['adapted']):.3f} | {truth[each]:.3f} |"
        )
    average = [fmean(values) for values in zip(*(adapters[each]["trained"] for each in pool), strict=True)]
    lines += [
        "",
        "| rule | chosen | trained | minus the pool's mean | mean of its four | rank correlation | at other rates |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for rule, order in found["choices"].items():
        best = adapters[order[0]]
        mean, low, high = paired(best["trained"], average, seed=0)
        rates = ", ".join(f"{fmean(best[key]):.3f}" for key in best if key.startswith("trained at"))
        alike = correlation([-order.index(each) for each in pool], [truth[each] for each in pool])
        lines.append(
            f"| {rule} | {order[0]} | {truth[order[0]]:.3f} | {mean:+.3f} [{low:+.3f}, {high:+.3f}] "
            f"| {fmean(truth[each] for each in order[:4]):.3f} | {alike:+.2f} | {rates} |"
        )
    rates = ", ".join(f"{fmean(adapters[FRESH][key]):.3f}" for key in adapters[FRESH] if key.startswith("trained at"))
    lines += [
        f"| at random | – | {fmean(average):.3f} | | {fmean(average):.3f} | 0 | |",
        f"| fresh LoRA | – | {truth[FRESH]:.3f} | | | | {rates} |",
    ]
    cost = [fmean(adapters[each][f"seconds_{what}"] for each in pool) for what in ("plain", "adapted")]
    return "\n".join([*lines, "", f"Scoring an adapter once took {cost[0]:.0f} s, adapting it {cost[1]:.0f} s.", ""])


def correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: the correlation of the ranks."""
    return float(torch.corrcoef(torch.tensor([ranks(first), ranks(second)]))[0, 1])


if __name__ == "__main__":
    raise SystemExit(main())
