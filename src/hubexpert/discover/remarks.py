"""What is worth knowing of an adapter's configuration and is nothing against it."""

from collections.abc import Iterator
from typing import Any

from hubexpert.discover.reasons import some
from hubexpert.kinds import kind_of

# The fields of PEFT's own LoraConfig (0.21): the light installation has no PEFT to ask.
LORA_FIELDS = frozenset({
    "alora_invocation_tokens", "alpha_pattern", "arrow_config", "auto_mapping", "base_model_name_or_path", "bias",
    "corda_config", "ensure_weight_tying", "eva_config", "exclude_modules", "fan_in_fan_out", "inference_mode",
    "init_lora_weights", "kasa_config", "layer_replication", "layers_pattern", "layers_to_transform", "loftq_config",
    "lora_alpha", "lora_bias", "lora_dropout", "lora_ga_config", "megatron_config", "megatron_core", "modules_to_save",
    "monteclora_config", "peft_type", "peft_version", "qalora_group_size", "r", "rank_pattern", "revision",
    "runtime_config", "target_modules", "target_parameters", "task_type", "trainable_token_indices", "use_bdlora",
    "use_dora", "use_qalora", "use_rslora", "velora_config",
})  # fmt: skip


def config_remarks(config: Any) -> Iterator[str]:
    """The remarks on an adapter with this configuration; `config` is any JSON value."""
    kind = kind_of(config)
    if kind:
        article = "an" if kind.name[0] in "AEIOU" else "a"
        yield f"It is {article} {kind.name}: it is converted to a LoRA when it is loaded."
    elif isinstance(config, dict) and config.get("peft_type") == "LORA":
        unknown = sorted(str(name) for name in config.keys() - LORA_FIELDS)
        if unknown:
            yield f"Its configuration has fields that are unknown here: {some(unknown)}."
