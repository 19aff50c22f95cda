"""A Hub for measurements: many adapters of one base, in the mess that people make, among many other repositories.

Everything is drawn from one seed. The shares are assumptions about a popular base, measured nowhere.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from hubexpert.localhub import Store

BASE = "meta-llama/Llama-2-7b-hf"  # one with former names and known mirrors, as the bases with most adapters have
LONELY = "bench/lonely-base"  # a base without adapters
WIDTH = 16
CHANGED_RANK = 12  # which no adapter has before it changes
DATASETS = 60
VARIANTS = 24  # folders of one kind; the repositories share them
LAYER = "base_model.model.model.layers.0"
ATTENTION = ("q_proj", "v_proj")
TARGETS = (ATTENTION, ATTENTION, (*ATTENTION, "k_proj", "o_proj"), (*ATTENTION, "gate_proj", "up_proj", "down_proj"))
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True)
class Kind:
    """Repositories of one form, and what is to be said of them.

    Attributes:
        share: how many of them there are among the others, in any unit.
        verdict: what discovery must say when it has looked at all; None for what is no adapter of the base.
        card: members of the card's metadata; None leaves one out.
        config: members of the adapter's configuration; None as a whole leaves the file out.
        files: further files, or other contents.
        without: files that are left out.
        rank: of all of them; None draws one.
    """

    share: float
    verdict: str | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] | None = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    rank: int | None = None


@dataclass(frozen=True)
class Pool:
    """What was made: adapter of the base -> its kind, and the number of repositories."""

    kinds: Mapping[str, str]
    repos: int


MIRROR, QUANTISED, TUNED = "unsloth/llama-2-7b", "quants/llama-2-7b-bnb-4bit", "tuners/llama-2-7b-tuned"
ADAPTERS: Mapping[str, Kind] = {
    "good": Kind(60, "accepted"),
    "untagged": Kind(8, "accepted", card={"base_model": None}),
    "local-path": Kind(2, "accepted", config={"base_model_name_or_path": "/data/models/base"}),
    "mirror": Kind(2, "accepted", config={"base_model_name_or_path": MIRROR}, card={"base_model": MIRROR}),
    "quantised": Kind(2, "accepted", config={"base_model_name_or_path": QUANTISED}, card={"base_model": QUANTISED}),
    "finetune": Kind(2, "base-is-finetune", config={"base_model_name_or_path": TUNED}, card={"base_model": TUNED}),
    "other-base": Kind(1, "other-base", config={"base_model_name_or_path": "elsewhere/model"}),
    "pickle-only": Kind(6, "pickle-only", files={"adapter_model.bin": b"\x80\x04."}, without=(WEIGHTS,)),
    "no-weights": Kind(1, "no-weights", without=(WEIGHTS,)),
    "no-licence": Kind(4, "license-unknown", card={"license": None}),
    "forbidden": Kind(4, "license-forbidden", card={"license": "cc-by-nc-4.0"}),
    "bespoke": Kind(0.5, "license-forbidden", card={"license": "other", "license_name": "our-own"}),
    "ia3": Kind(1, "not-lora", config={"peft_type": "IA3"}),
    "prefix": Kind(1, "not-lora", config={"peft_type": "PREFIX_TUNING"}),
    "dora": Kind(1.5, "dora", config={"use_dora": True}),
    "modules-to-save": Kind(2, "extra-modules", config={"modules_to_save": ["embed_tokens", "lm_head"]}),
    "high-rank": Kind(1, "rank-too-high", rank=512),
    "broken-config": Kind(0.5, "config-broken", files={CONFIG: b'{"peft_type": "LORA", '}),
    "broken-header": Kind(0.5, "header-broken", files={WEIGHTS: b"\xff\xff\xff\xff\xff\xff\xff\x0f{}"}),
}
OTHERS: Mapping[str, Kind] = {
    "adapter": Kind(60),
    "diffusion": Kind(14, config=None, card={"tags": ["lora", "diffusers"], "library_name": "diffusers"}),
    "model": Kind(22, config=None, card={"base_model": None, "library_name": "transformers", "tags": []}),
    "tuned": Kind(3, config=None, card={"base_model": BASE, "library_name": "transformers", "tags": []}),
    "quant": Kind(
        1,
        config=None,
        card={"base_model": BASE, "base_model_relation": "quantized", "library_name": "transformers", "tags": []},
    ),
}


def make_pool(store: Store, folder: Path, *, adapters: int, repos: int, seed: int = 0) -> Pool:
    """Fill the store. `repos` counts the adapters of the base, everything else, and the datasets they cite.

    Args:
        store: an empty one.
        folder: an empty one for the files that the repositories are made of.
        adapters: of the base.
        repos: all together.
        seed: of everything that is drawn.
    """
    rng = random.Random(seed)  # noqa: S311 - nothing secret
    singles = {BASE: "model", LONELY: "model", QUANTISED: "quant", TUNED: "tuned"}
    rest = repos - adapters - len(singles) - DATASETS
    if rest < 0:
        raise ValueError(f"{repos} repositories have no room for {adapters} adapters")
    drawn = rng.choices(list(ADAPTERS), [kind.share for kind in ADAPTERS.values()], k=adapters)
    kinds = {f"people-{rng.randrange(2000)}/lora-{number}": kind for number, kind in enumerate(drawn)}
    drawn = rng.choices(list(OTHERS), [kind.share for kind in OTHERS.values()], k=rest)
    others = {f"others-{rng.randrange(2000)}/model-{number}": kind for number, kind in enumerate(drawn)} | singles
    every = [*((repo, "of-base", kind) for repo, kind in kinds.items()), *((r, "other", k) for r, k in others.items())]
    folders = [(repo, _folder(folder / group / kind / str(rng.randrange(VARIANTS)))) for repo, group, kind in every]
    rng.shuffle(folders)
    store.add_folders(folders)
    store.add_folders(list(_datasets(folder / "datasets")), repo_type="dataset")
    _draw_numbers(store, rng)
    return Pool(kinds, repos)


def change_pool(
    store: Store, folder: Path, pool: Pool, *, changed: Sequence[str], added: int, deleted: Sequence[str]
) -> Pool:
    """Give good adapters new commits, add new good ones, and delete some; the pool as it then is."""
    rng = random.Random(f"changes {added}")  # noqa: S311 - nothing secret
    new = [f"newcomers/lora-{number}" for number in range(added)]
    variants = [_written(folder / f"changed-{number}", ADAPTERS["good"], rng, rank=CHANGED_RANK) for number in range(4)]
    store.add_folders([(repo, rng.choice(variants)) for repo in (*changed, *new)])
    with store.writing() as db:
        db.executemany("DELETE FROM repos WHERE type = 'model' AND id = ?", [(repo,) for repo in deleted])
    kinds = {repo: kind for repo, kind in pool.kinds.items() if repo not in deleted} | dict.fromkeys(new, "good")
    return Pool(kinds, pool.repos + len(new) - len(deleted))


def _folder(folder: Path) -> Path:
    """The folder of a kind's variant, made when it is missing; what is in it follows from its name alone."""
    if folder.is_dir():
        return folder
    group, name, variant = folder.parts[-3:]
    rng = random.Random(f"{group} {name} {variant}")  # noqa: S311 - nothing secret
    kind = (ADAPTERS if group == "of-base" else OTHERS)[name]
    base = BASE if group == "of-base" else f"elsewhere/model-{rng.randrange(200)}"
    return _written(folder, kind, rng, base=base)


def _written(folder: Path, kind: Kind, rng: random.Random, *, base: str = BASE, rank: int | None = None) -> Path:
    """A folder with the files of such a repository."""
    rank, targets = rank or kind.rank or rng.choice((4, 8, 8, 16, 16, 32, 64)), rng.choice(TARGETS)
    card: dict[str, Any] = {
        "base_model": base,
        "library_name": "peft",
        "license": rng.choice(("apache-2.0", "mit", "llama2")),
    }
    card |= {"tags": rng.choice((["lora"], ["trl", "sft"], []))}
    if rng.random() < 0.4:
        card["datasets"] = [f"data/rows-{rng.randrange(DATASETS)}"]
    files: dict[str, bytes] = {"README.md": _card({**card, **kind.card})}
    if kind.config is not None:
        config = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "target_modules": list(targets)}
        config |= {"base_model_name_or_path": base, "task_type": "CAUSAL_LM", "bias": "none", "lora_dropout": 0.05}
        files |= {CONFIG: json.dumps({**config, **kind.config}, indent=2).encode(), WEIGHTS: _weights(rank, targets)}
    folder.mkdir(parents=True)
    for name, content in {**files, **kind.files}.items():
        if name not in kind.without:
            (folder / name).write_bytes(content)
    return folder


def _weights(rank: int, targets: Sequence[str]) -> bytes:
    """A LoRA of that rank on a layer of width `WIDTH`."""
    made = {}
    for target in targets:
        block = "self_attn" if target in ("q_proj", "k_proj", "v_proj", "o_proj") else "mlp"
        made[f"{LAYER}.{block}.{target}.lora_A.weight"] = np.full((rank, WIDTH), 0.5, "float16")
        made[f"{LAYER}.{block}.{target}.lora_B.weight"] = np.full((WIDTH, rank), 0.5, "float16")
    return bytes(save(made))


def _card(metadata: Mapping[str, Any]) -> bytes:
    kept = {key: value for key, value in metadata.items() if value is not None}
    return f"---\n{json.dumps(kept)}\n---\n# Made for a measurement\n".encode()


def _datasets(folder: Path) -> Iterator[tuple[str, Path]]:
    for number in range(DATASETS):
        place = folder / str(number)
        place.mkdir(parents=True)
        (place / "README.md").write_bytes(_card({"license": ("mit", "cc-by-nc-4.0", None)[number % 3]}))
        (place / "rows.jsonl").write_text(json.dumps({"instruction": "?", "output": str(number)}) + "\n")
        yield f"data/rows-{number}", place


def _draw_numbers(store: Store, rng: random.Random) -> None:
    """Downloads with a long tail, and days of two years."""
    first = datetime(2024, 1, 1, tzinfo=UTC)
    with store.writing() as db:
        keys = [row["key"] for row in db.execute("SELECT key FROM repos ORDER BY key")]
        days = (first + timedelta(seconds=rng.randrange(2 * 365 * 86400)) for _ in keys)
        values = [
            (int(10 * (rng.paretovariate(0.8) - 1)), day.isoformat(timespec="milliseconds").replace("+00:00", "Z"), key)
            for day, key in zip(days, keys, strict=True)
        ]
        db.executemany("UPDATE repos SET downloads = ?, modified = ? WHERE key = ?", values)


def lonely_store(root: Path) -> Store:
    """A store with one model and nothing else."""
    store = Store(root / "hub")
    store.add_folder(LONELY, _written(root / "files", OTHERS["model"], random.Random(0)))  # noqa: S311 - nothing secret
    return store
