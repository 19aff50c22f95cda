"""The door to language models: base and tokenizer, token ids of examples, batched NLL and greedy generation.

All batches are padded on the left and sorted by length, so that answers end together: only the logits of answer
positions are computed, and generation continues where the prompt ends.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from hubexpert import hub
from hubexpert.errors import HubExpertError, first_line
from hubexpert.prompt import prompt_text
from hubexpert.recipe import Quantization
from hubexpert.records import Example, Source

BASE_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")
TOKENS_IN_BATCH = 2048


@dataclass(frozen=True)
class Lm:
    """A causal language model and its tokenizer on one device.

    `caches` is False where the model must read every text from its beginning: no keys and values are kept.
    """

    model: Any
    tokenizer: Any
    caches: bool = True

    @property
    def device(self) -> torch.device:
        """The device of the model's first parameter."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def context(self) -> int:
        """How many tokens the model can read at once."""
        return int(getattr(self.model.config, "max_position_embeddings", None) or 2**31)

    @property
    def ends(self) -> list[int]:
        """The tokens that end an answer: the tokenizer's and those of the model's own generation settings."""
        own = getattr(self.model.generation_config, "eos_token_id", None)
        found = {self.tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}
        return sorted(found)


@dataclass(frozen=True)
class Encoded:
    """One example as token ids: the prompt, and the answer with its end-of-turn token. `weight` multiplies its loss."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    weight: float = 1.0


def load_lm(base: Source | Path, *, device: str | None = None, quantize: Quantization | None = None) -> Lm:
    """The base model in evaluation mode: bfloat16 on CUDA, float32 on the CPU.

    Args:
        base: the base at a commit of the Hub (downloaded or cached), or a folder.
        device: a torch device; by default CUDA where there is one, else the CPU.
        quantize: `4bit` (NF4) or `8bit`, through bitsandbytes.

    Raises:
        HubExpertError: the base cannot be had, is no causal language model or needs remote code, or bitsandbytes is
            missing.
    """
    folder = _folder(base)
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    dtype = torch.bfloat16 if where.type == "cuda" else torch.float32
    transformers_logging.disable_progress_bar()
    with _loading(_name(base)):
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map={"": where} if quantize else None,  # a quantised base cannot be moved
            quantization_config=_quantisation(quantize, dtype) if quantize else None,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    if quantize:
        _keep_gradients(model)
    return Lm((model if quantize else model.to(where)).eval(), _tokenizer(folder, _name(base)))


def load_tokenizer(base: Source | Path) -> Any:
    """The base's tokenizer, with a token to pad with.

    Raises:
        HubExpertError: the base cannot be had, or its tokenizer has no token that ends a text.
    """
    return _tokenizer(_folder(base), _name(base))


def _tokenizer(folder: Path, name: str) -> Any:
    with _loading(name):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if tokenizer.eos_token_id is None:
        raise HubExpertError(
            f"The tokenizer of {name} has no token that ends a text.",
            fix="name a base whose tokenizer has an `eos_token`",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def precision(kind: str, quantize: Quantization | None) -> str:
    """What a base computes with on a device of this kind (`cuda` or `cpu`), as a part of fingerprints."""
    return f"{'bfloat16' if kind == 'cuda' else 'float32'} {quantize or ''}".strip()


def _folder(base: Source | Path) -> Path:
    return base if isinstance(base, Path) else hub.snapshot(base, BASE_FILES)


def _name(base: Source | Path) -> str:
    return base.name if isinstance(base, Path) else base.repo


def _quantisation(quantize: Quantization, dtype: torch.dtype) -> BitsAndBytesConfig:
    if find_spec("bitsandbytes") is None:
        raise HubExpertError(
            "bitsandbytes, which quantises the base, is not installed.",
            fix="pip install bitsandbytes, or take `quantize` out of the recipe",
        )
    if quantize == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)


def _keep_gradients(model: Any) -> None:
    """Keep bitsandbytes from packing 4-bit weights for inference when they are first read in evaluation mode.

    It does so on CPUs with AVX512-BF16, and what is packed lets no gradient through: an adapter trained afterwards
    would get none, or wrong ones, with no more than a warning.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """Within the block a base that cannot be loaded is one sentence and a fix."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise HubExpertError(
            f"{name} cannot be loaded as a causal language model: {first_line(error)}",
            fix="name a base that transformers loads from safetensors without remote code",
        ) from error


def encode(tokenizer: Any, example: Example, answer: str, shots: Sequence[Example] = ()) -> Encoded:
    """Token ids of the example's prompt and of `answer` with the end-of-turn token; equal in training and scoring.

    `shots` are shown in the prompt, their outputs without rationales, but for those that are `reasoned`.
    """
    prompt = tokenizer(prompt_text(tokenizer, example, shots), add_special_tokens=False).input_ids
    target = tokenizer(answer, add_special_tokens=False).input_ids
    return Encoded(tuple(prompt), (*target, tokenizer.eos_token_id))


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices in batches of similar length, longest first, each within a budget of padded tokens."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    while order:
        size = max(1, TOKENS_IN_BATCH // max(1, lengths[order[0]]))
        yield order[:size]
        order = order[size:]


def left_padded(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> dict[str, torch.Tensor]:
    """`input_ids`, `attention_mask` and `position_ids` [batch, longest], padded on the left."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, longest - len(row) :] = torch.tensor(row)
        mask[index, longest - len(row) :] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device), "position_ids": positions.to(device)}


@torch.inference_mode()
def mean_nll(lm: Lm, encoded: Sequence[Encoded]) -> list[float]:
    """The mean negative log-likelihood (nats) of each answer's tokens given its prompt, in the order given.

    The end-of-turn token is one of the answer's tokens. What exceeds the model's context is cut from the left.
    """
    result = [0.0] * len(encoded)
    for batch in batches([len(e.prompt) + len(e.answer) for e in encoded]):
        rows = [(*encoded[i].prompt, *encoded[i].answer)[-lm.context :] for i in batch]
        inputs = left_padded(rows, lm.tokenizer.pad_token_id, lm.device)
        longest = max(len(encoded[i].answer) for i in batch)
        logits = lm.model(
            **inputs, logits_to_keep=longest + 1, use_cache=False
        ).logits.float()  # [batch, longest+1, vocab]
        for row, index in enumerate(batch):
            answer = encoded[index].answer
            gold = torch.tensor(answer, device=logits.device)
            scores = logits[row, -len(answer) - 1 : -1]  # position t predicts token t+1
            result[index] = torch.nn.functional.cross_entropy(scores, gold).item()
    return result


def generate(lm: Lm, prompts: Sequence[Sequence[int]], *, max_new_tokens: int) -> list[str]:
    """The greedy continuation of each prompt as text without special tokens, in the order given."""
    made = continuations(lm, prompts, max_new_tokens=max_new_tokens)
    texts: list[str] = lm.tokenizer.batch_decode(made, skip_special_tokens=True)
    return texts


@torch.inference_mode()
def continuations(
    lm: Lm, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, temperature: float = 0.0
) -> list[list[int]]:
    """The tokens that follow each prompt, with the one that ends them if it came, in the order given.

    Plain greedy, or sampled from all tokens at a temperature above 0 (seed torch before): penalties among the model's
    own generation settings are switched off. A prompt that leaves no room for the answer in the model's context is cut
    from the left.
    """
    result: list[list[int]] = [[] for _ in prompts]
    room = max(1, lm.context - max_new_tokens)
    how = (
        {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        if temperature
        else {"do_sample": False}
    )
    for batch in batches([len(prompt) + max_new_tokens for prompt in prompts]):
        inputs = left_padded([prompts[i][-room:] for i in batch], lm.tokenizer.pad_token_id, lm.device)
        del inputs["position_ids"]  # generate derives them from the mask
        made = lm.model.generate(
            **inputs,
            **how,
            max_new_tokens=max_new_tokens,
            num_beams=1,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            eos_token_id=lm.ends,
            pad_token_id=lm.tokenizer.pad_token_id,
        )
        for index, row in zip(batch, made[:, inputs["input_ids"].shape[1] :].tolist(), strict=True):
            end = next((place for place, token in enumerate(row) if token in lm.ends), len(row) - 1)
            result[index] = row[: end + 1]
    return result
