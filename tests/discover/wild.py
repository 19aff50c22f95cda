"""A Hub with all the real material of `tests/data`: configurations, model cards and dataset cards as people wrote them.

What people did not leave to us is made up here: the other cards, weights that fit the configurations on a tiny layer, a
row of a few datasets, and how often and when everything was downloaded and changed, which follows from names alone.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from hubexpert.kinds import Kind, kind_of
from hubexpert.localhub import Store
from tests.discover.making import CONFIG, PREFIX, WEIGHTS

DATA = Path(__file__).parents[1] / "data"
BASE = "meta-llama/Llama-2-7b-hf"  # on the made-up cards of configurations that name no base
WIDTH = 16
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
NOTICED = re.compile(r"^\| `(.+)\.json` \| .+ \| .+ \| (.+) \|$", re.MULTILINE)
# The names of the datasets that the made-up cards cite, in turn.
CITED = (
    ("ai2_arc", "openbookqa", "sciq"),
    ("aqua_rat", "drop", "math_dataset"),
    (),
    ("ai2_arc", "ropes", "hate_speech_pl"),
    ("imdb", "aqua_rat", "hellaswag"),
    (),
    ("ai2_arc", "xsum", "wikitext"),
)
# Made-up rows with the columns of the real ones.
ROWS: dict[str, dict[str, Any]] = {
    "ai2_arc": {
        "id": "1",
        "question": "Which of these turns light into sugar?",
        "choices": {"text": ["a stone", "a leaf", "a magnet", "a cloud"], "label": ["A", "B", "C", "D"]},
        "answerKey": "B",
    },
    "aqua_rat": {
        "question": "A train goes 60 miles in 45 minutes. How many miles does it go in 2 hours?",
        "options": ["A)120", "B)150", "C)160", "D)180", "E)90"],
        "rationale": "60 miles in 3/4 h are 80 miles an hour, so 160 miles in 2 hours.",
        "correct": "C",
    },
    "drop": {
        "section_id": "1",
        "query_id": "1",
        "passage": "The home side led by 10 points at half time and won by 17.",
        "question": "By how many points did the lead grow after half time?",
        "answers_spans": {"spans": ["7"], "types": ["number"]},
    },
    "ropes": {
        "id": "1",
        "background": "Metals become longer when they are heated.",
        "situation": "Rail A lies in the sun, rail B in the shade.",
        "question": "Which rail is longer?",
        "answers": {"text": ["rail A"]},
    },
    "wikitext": {"text": "A line of an article ."},
}


def fill(store: Store, folder: Path) -> None:
    """Put everything into the store, by way of files in an empty folder."""
    store.add_folders(list(_adapters(folder / "models")))
    store.add_folders(list(_datasets(folder / "datasets")), repo_type="dataset")
    with store.writing() as db:
        for row in db.execute("SELECT key, type, id FROM repos").fetchall():
            if row["id"] in (repos() if row["type"] == "model" else datasets()):
                values = (*_numbers(row["id"]), row["key"])
                db.execute("UPDATE repos SET downloads = ?, modified = ? WHERE key = ?", values)


def repos() -> dict[str, Path]:
    """Adapter -> its real configuration."""
    files = sorted((DATA / "adapter_configs").glob("*.json"))
    return {_repo(file.stem): file for file in files}


def datasets() -> dict[str, Path]:
    """Dataset -> its real card; its owner is that of the repository from which all of them come."""
    files = sorted((DATA / "dataset_cards").glob("*.md"))
    return {f"huggingface/{file.stem}": file for file in files if file.stem != "README"}


def stated_base(config: Path) -> str | None:
    """The base that a configuration names."""
    stated = json.loads(config.read_bytes()).get("base_model_name_or_path")
    return stated if isinstance(stated, str) else None


def _repo(stem: str) -> str:
    owner, name, number = stem.split("__")
    return f"{owner}/{name}-{number}"


def _numbers(repo: str) -> tuple[int, str]:
    """Downloads with a long tail, and a day of two years."""
    drawn = int.from_bytes(hashlib.sha256(repo.encode()).digest()[:8], "big")
    downloads = int(3 * 2 ** (drawn % 100_003 / 8_000))
    return downloads, (FIRST_DAY + timedelta(hours=drawn % (2 * 365 * 24))).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _adapters(folder: Path) -> Iterator[tuple[str, Path]]:
    licenses = dict(NOTICED.findall((DATA / "adapter_configs" / "NOTICE.md").read_text()))
    for number, (repo, file) in enumerate(repos().items()):
        place = folder / file.stem
        place.mkdir(parents=True)
        shutil.copyfile(file, place / CONFIG)
        real = DATA / "model_cards" / f"{file.stem}.md"
        card = real.read_text() if real.is_file() else _card(file, licenses[file.stem], CITED[number % len(CITED)])
        (place / "README.md").write_text(card)
        shapes = tensors(json.loads(file.read_bytes()))
        save_file({name: np.full(shape, 0.5, "float16") for name, shape in shapes.items()}, place / WEIGHTS)
        yield repo, place


def _card(config: Path, license_: str, cited: tuple[str, ...]) -> str:
    metadata: dict[str, Any] = {
        "base_model": stated_base(config) or BASE,
        "license": license_.lower(),
        "library_name": "peft",
    }
    if cited:
        metadata["datasets"] = [f"huggingface/{name}" for name in cited]
    return f"---\n{json.dumps(metadata)}\n---\n# A made-up card for a real configuration\n"


def tensors(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of weights that fit the configuration."""
    targets = config.get("target_modules")
    modules = targets if isinstance(targets, list) else ["q_proj", "v_proj"]
    parts = _parts(config, kind_of(config))
    return {f"{PREFIX}.{module}.{part}": shape for module in modules for part, shape in parts.items()}


def _parts(config: dict[str, Any], kind: Kind | None) -> dict[str, tuple[int, ...]]:
    """The tensors of one module."""
    if kind:
        sizes = {"1": 1, "r": config.get(kind.rank, kind.default_rank), "k": config.get("gralora_k", 2)}
        form = next(form for form in kind.forms if any("r" in letters for letters in form.values()))
        return {part: tuple(sizes.get(letter, WIDTH) for letter in letters) for part, letters in form.items()}
    if config.get("peft_type") != "LORA":
        return {"weight": (WIDTH,)}
    magnitude = {"lora_magnitude_vector.weight": (WIDTH,)} if config.get("use_dora") else {}
    return {"lora_A.weight": (config["r"], WIDTH), "lora_B.weight": (WIDTH, config["r"]), **magnitude}


def _datasets(folder: Path) -> Iterator[tuple[str, Path]]:
    for repo, file in datasets().items():
        place = folder / file.stem
        place.mkdir(parents=True)
        shutil.copyfile(file, place / "README.md")
        if file.stem in ROWS:
            (place / "train.jsonl").write_text(json.dumps(ROWS[file.stem]) + "\n")
        yield repo, place
