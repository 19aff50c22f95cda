"""Short names of bases: what people write -> the model's id on the Hub."""

import difflib
import re

from hubexpert.errors import HubExpertError
from hubexpert.recipe import is_folder

ALIASES = {
    "deepseek-coder-6.7b": "deepseek-ai/deepseek-coder-6.7b-base",
    "falcon-7b": "tiiuae/falcon-7b",
    "gemma-2b": "google/gemma-2b",
    "gemma-7b": "google/gemma-7b",
    "gemma-2-2b": "google/gemma-2-2b",
    "gemma-2-9b": "google/gemma-2-9b",
    "gemma-2-27b": "google/gemma-2-27b",
    "gemma-3-270m": "google/gemma-3-270m",
    "gemma-3-1b": "google/gemma-3-1b-pt",
    "gemma-3-4b": "google/gemma-3-4b-pt",
    "llama-2-7b": "meta-llama/Llama-2-7b-hf",
    "llama-2-7b-chat": "meta-llama/Llama-2-7b-chat-hf",
    "llama-2-13b": "meta-llama/Llama-2-13b-hf",
    "llama-2-70b": "meta-llama/Llama-2-70b-hf",
    "llama-3-8b": "meta-llama/Meta-Llama-3-8B",
    "llama-3-8b-instruct": "meta-llama/Meta-Llama-3-8B-Instruct",
    "llama-3-70b": "meta-llama/Meta-Llama-3-70B",
    "llama-3.1-8b": "meta-llama/Llama-3.1-8B",
    "llama-3.1-8b-instruct": "meta-llama/Llama-3.1-8B-Instruct",
    "llama-3.1-70b": "meta-llama/Llama-3.1-70B",
    "llama-3.2-1b": "meta-llama/Llama-3.2-1B",
    "llama-3.2-1b-instruct": "meta-llama/Llama-3.2-1B-Instruct",
    "llama-3.2-3b": "meta-llama/Llama-3.2-3B",
    "llama-3.2-3b-instruct": "meta-llama/Llama-3.2-3B-Instruct",
    "mistral-7b": "mistralai/Mistral-7B-v0.1",
    "mistral-7b-v0.3": "mistralai/Mistral-7B-v0.3",
    "mistral-7b-instruct": "mistralai/Mistral-7B-Instruct-v0.2",
    "phi-2": "microsoft/phi-2",
    "phi-3-mini": "microsoft/Phi-3-mini-4k-instruct",
    "phi-3.5-mini": "microsoft/Phi-3.5-mini-instruct",
    "phi-4": "microsoft/phi-4",
    "pythia-1.4b": "EleutherAI/pythia-1.4b",
    "qwen2.5-0.5b": "Qwen/Qwen2.5-0.5B",
    "qwen2.5-0.5b-instruct": "Qwen/Qwen2.5-0.5B-Instruct",
    "qwen2.5-1.5b": "Qwen/Qwen2.5-1.5B",
    "qwen2.5-1.5b-instruct": "Qwen/Qwen2.5-1.5B-Instruct",
    "qwen2.5-3b": "Qwen/Qwen2.5-3B",
    "qwen2.5-7b": "Qwen/Qwen2.5-7B",
    "qwen2.5-7b-instruct": "Qwen/Qwen2.5-7B-Instruct",
    "qwen3-0.6b": "Qwen/Qwen3-0.6B-Base",
    "qwen3-1.7b": "Qwen/Qwen3-1.7B-Base",
    "qwen3-4b": "Qwen/Qwen3-4B-Base",
    "qwen3-8b": "Qwen/Qwen3-8B-Base",
    "smollm-135m": "HuggingFaceTB/SmolLM-135M",
    "smollm2-135m": "HuggingFaceTB/SmolLM2-135M",
    "smollm2-135m-instruct": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "smollm2-360m": "HuggingFaceTB/SmolLM2-360M",
    "smollm2-360m-instruct": "HuggingFaceTB/SmolLM2-360M-Instruct",
    "smollm2-1.7b": "HuggingFaceTB/SmolLM2-1.7B",
    "smollm2-1.7b-instruct": "HuggingFaceTB/SmolLM2-1.7B-Instruct",
    "tinyllama": "TinyLlama/TinyLlama_v1.1",
    "tinyllama-chat": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
}

# Names under which the Hub still serves a model, and which older adapters carry.
FORMER_NAMES = {
    "meta-llama/Meta-Llama-3.1-8B": "meta-llama/Llama-3.1-8B",
    "meta-llama/Meta-Llama-3.1-8B-Instruct": "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Meta-Llama-3.1-70B": "meta-llama/Llama-3.1-70B",
    "meta-llama/Meta-Llama-3.1-70B-Instruct": "meta-llama/Llama-3.1-70B-Instruct",
}


def names_of(base: str) -> tuple[str, ...]:
    """The names under which adapters may carry the base, its present one first."""
    return (base, *(former for former, present in FORMER_NAMES.items() if present == base))


def same_base(name: str, base: str) -> bool:
    """Whether `name`, as an adapter states it, is the base; case and a slash at the end do not count.

    A base in a folder is only what is named by the same path.
    """
    if is_folder(base):
        return name.rstrip("/") == base.rstrip("/")
    return any(name.strip().rstrip("/").lower() == known.rstrip("/").lower() for known in names_of(base))


def canonical_base(base: str) -> tuple[str, str | None]:
    """The base's id on the Hub, or its folder as written, and the revision asked for after `@` (None: none).

    Raises:
        HubExpertError: it is neither a folder, nor `owner/name`, nor a known alias.
    """
    if is_folder(base):
        return base.rstrip("/") or base, None
    name, _, revision = base.strip().partition("@")
    if "/" not in name:
        name = _from_alias(name)
    return name, revision or None


def resolve_alias(base: str) -> str:
    """The base with its alias replaced by the Hub id; a revision after `@` stays.

    Raises:
        HubExpertError: as `canonical_base`.
    """
    name, revision = canonical_base(base)
    return f"{name}@{revision}" if revision else name


def _from_alias(name: str) -> str:
    known = {_plain(alias): repo for alias, repo in ALIASES.items()}
    known |= {_plain(repo.partition("/")[2]): repo for repo in ALIASES.values()}
    found = known.get(_plain(name))
    if found:
        return found
    close = difflib.get_close_matches(_plain(name), [_plain(alias) for alias in ALIASES], n=3, cutoff=0.5)
    nearest = [alias for plain in close for alias in ALIASES if _plain(alias) == plain]
    meant = f"did you mean {' or '.join(nearest)}? Else give" if nearest else "give"
    raise HubExpertError(f"There is no alias {name!r} for a base.", fix=f"{meant} the full id, `owner/name`")


def _plain(name: str) -> str:
    """The name without case, spaces, dashes and underscores; the dot of a version stays."""
    return re.sub(r"[\s_\-]+", "", name).lower()
