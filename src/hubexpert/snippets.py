"""How to load a mixture, ready to paste: routed, in plain PEFT, and in vLLM."""

import json
import shlex
from typing import Any

from hubexpert.escape import fence, plain, shown_name
from hubexpert.lock import Lock
from hubexpert.recipe import is_folder, parse_recipe

VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # what --max-lora-rank accepts


def snippets(lock: Lock, repo: str | None) -> dict[str, Any]:
    """How to load it, ready to paste; without a repository it is loaded from the folder of the card."""
    base, place = plain(shown_name(lock.base.repo)), plain(repo) if repo else "."
    pinned = "" if is_folder(lock.base.repo) else f', revision="{lock.base.revision}"'
    tokenizer = f"tokenizer = AutoTokenizer.from_pretrained({json.dumps(base)}{pinned})"
    rank = next((allowed for allowed in VLLM_RANKS if allowed >= lock.build.rank), None)
    task = parse_recipe(lock.recipe, name="the recipe in the lock").task.name
    serve = f"vllm serve {shlex.quote(base)} --enable-lora --max-lora-rank {rank}"
    routed = [
        "import hubexpert",
        "from transformers import AutoTokenizer",
        "",
        f"model = hubexpert.load({json.dumps(place)})",
    ]
    static = [
        "from peft import AutoPeftModelForCausalLM",
        "from transformers import AutoTokenizer",
        "",
        f"model = AutoPeftModelForCausalLM.from_pretrained({json.dumps(place)})",
    ]
    texts = [source.repo for source in lock.kard.sources if is_folder(source.repo)] if lock.kard else []
    mine = f", texts={json.dumps([plain(shown_name(name)) for name in texts])}" if texts else ""
    asking = [
        "",
        f"knowledge = hubexpert.open_knowledge({json.dumps(place)}{mine})",
        'told = knowledge.answer(model, tokenizer, "…")',
        "print(told.passages, told.rationale, told.output)",
    ]
    return {
        "snippet_knowledge": fence("\n".join([*routed, tokenizer, *asking]), "python"),
        "vllm_rank": rank,
        "snippet_routed": fence("\n".join([*routed, tokenizer]), "python"),
        "snippet_static": fence("\n".join([*static, tokenizer]), "python"),
        "snippet_vllm": fence(f"{serve} --lora-modules {shlex.quote(plain(task))}={shlex.quote(place)}", "sh"),
    }
