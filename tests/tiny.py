"""Tiny real models for tests: a two-layer llama with a byte-level tokenizer, and LoRAs for it."""

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, get_peft_model
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

BASE = "tester/tiny-base"
TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'][0] }}{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>a{% endif %}"
)


def tokenizer() -> Any:
    """A byte-level tokenizer of 258 tokens: bytes, `<s>`, `</s>`."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    fast.chat_template = TEMPLATE
    return fast


def model(*, seed: int = 0, hidden: int = 32, layers: int = 2) -> Any:
    """A random llama in float32 on the CPU."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=256,
        eos_token_id=257,
        pad_token_id=257,
        tie_word_embeddings=False,
    )
    made = LlamaForCausalLM(config).eval()
    made.lm_head.weight.data *= 25  # at the default scale no answer can become likely, whatever an adapter does
    return made


def save_base(folder: Path, *, seed: int = 0) -> Path:
    """The tiny base as a model repository."""
    model(seed=seed).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# tiny\n")
    return folder


def lora(
    folder: Path,
    *,
    seed: int,
    license: str | None = "apache-2.0",
    base: str = BASE,
    scale: float = 0.3,
    **settings: Any,
) -> Path:
    """A random LoRA for the tiny base, with a card; `settings` go to `LoraConfig`."""
    base_model = model()  # seeds, too
    torch.manual_seed(seed)
    config = LoraConfig(
        **{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], **settings}, task_type="CAUSAL_LM"
    )
    peft_model = get_peft_model(base_model, config)
    for name, parameter in peft_model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=scale)
    peft_model.save_pretrained(folder, save_embedding_layers=False)
    written = folder / "adapter_config.json"
    written.write_text(json.dumps({**json.loads(written.read_text()), "base_model_name_or_path": base}))
    card = {"base_model": base, "library_name": "peft", "tags": ["lora"], **({"license": license} if license else {})}
    (folder / "README.md").write_text(f"---\n{json.dumps(card)}\n---\n# a LoRA\n")
    return folder


def another(folder: Path, config: PeftConfig, *, seed: int = 0, base: str = BASE, scale: float = 0.3) -> Any:
    """A random adapter of any type for the tiny base, written to `folder`; the model with it is returned."""
    torch.manual_seed(seed)
    peft_model = get_peft_model(model(), config).eval()
    for name, parameter in peft_model.named_parameters():
        if any(part in name for part in (".hada_", ".lokr_", ".lora_", ".delora_A", ".delora_B", "gralora_", "miss_")):
            torch.nn.init.normal_(parameter, std=scale)
    peft_model.save_pretrained(folder, save_embedding_layers=False)
    written = folder / "adapter_config.json"
    written.write_text(json.dumps({**json.loads(written.read_text()), "base_model_name_or_path": base}))
    card = {"base_model": base, "library_name": "peft", "license": "apache-2.0"}
    (folder / "README.md").write_text(f"---\n{json.dumps(card)}\n---\n# an adapter\n")
    return peft_model


def logits(made: Any, ids: torch.Tensor) -> torch.Tensor:
    """The model's logits in float64, [batch, tokens, vocabulary]."""
    with torch.inference_mode():
        found: torch.Tensor = made(ids).logits.double()
    return found


def error(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """The relative error in the Frobenius norm."""
    return float((got - wanted).norm() / wanted.norm())


def rewrite(folder: Path, change: Any) -> Path:
    """Apply `change` to every tensor of an adapter's weights."""
    from safetensors.torch import load_file

    file = folder / "adapter_model.safetensors"
    save_file(
        {key: change(tensor).contiguous() for key, tensor in load_file(file).items()}, file, metadata={"format": "pt"}
    )
    return folder
