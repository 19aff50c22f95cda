"""What an `adapter_config.json` says against the adapter. Unknown fields are tolerated: PEFT adds some every year."""

from collections.abc import Iterator
from typing import Any

from hubexpert.discover.convertible import kind_reasons
from hubexpert.discover.reasons import Reason
from hubexpert.escape import brief
from hubexpert.kinds import PLAIN_NAME, is_alpha, is_count, kind_of, ranks

DEFAULT_RANK = 8  # PEFT's own, where `r` is missing
# Forms of LoRA that are no sum of B·A over the base as published.
VARIANTS = (
    "alora_invocation_tokens", "arrow_config", "enable_lora", "kasa_config", "layer_replication", "monteclora_config",
    "target_parameters", "use_bdlora", "use_qalora",
)  # fmt: skip
# Initialisations that move a part of the base's weights into the adapter: it is right only over the changed base.
BASE_CHANGING = ("corda", "loftq", "lora_ga", "olora", "pissa")


def config_reasons(config: Any, max_rank: int) -> Iterator[Reason]:
    """The reasons against an adapter with this configuration; `config` is any JSON value."""
    if not isinstance(config, dict):
        yield Reason("config-broken", "Its configuration is no JSON object.")
        return
    kind = config.get("peft_type")
    if kind is not None and not isinstance(kind, str):
        yield Reason("config-broken", "`peft_type` in its configuration is no text.")
        return
    converted = kind_of(config)
    if kind != "LORA" and converted is None:
        yield Reason("not-lora", f"Its type {brief(kind)} is not converted to a LoRA." if kind else _untyped(config))
        return
    yield from kind_reasons(converted, config) if converted else _broken_fields(config)
    yield from _broken_common(config)
    yield from _other_forms(config)
    yield from _extra_modules(config)
    rank = config_rank(config)
    if rank is not None and rank > max_rank:
        yield Reason("rank-too-high", f"Its rank {_number(rank)} is above `discover.max_rank` ({max_rank}).")


def _untyped(config: dict[str, Any]) -> str:
    """What is said of a configuration without a type; two other libraries write files of the same name."""
    told = "Its configuration names no `peft_type`"
    if "lora_parameters" in config:
        return f"{told}: it looks like one of MLX, not of PEFT."
    if str(config.get("version")).startswith("adapters."):
        return f"{told}: it looks like one of AdapterHub's `adapters`, not of PEFT."
    return f"{told}."


def config_rank(config: Any) -> int | None:
    """The largest rank that the configuration names; None where it names none that makes sense."""
    ranks = config_ranks(config)
    return max(ranks) if ranks else None


def config_ranks(config: Any) -> frozenset[int]:
    """The ranks that the configuration gives to modules.

    Which module gets which is not asked: `rank_pattern` holds regular expressions, and a stranger's may never end.
    """
    kind = kind_of(config)
    if kind:
        return ranks(kind, config)
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        return frozenset()
    pattern = config.get("rank_pattern")
    named = [config.get("r", DEFAULT_RANK), *(pattern.values() if isinstance(pattern, dict) else ())]
    return frozenset(rank for rank in named if type(rank) is int and 0 < rank < 2**31)


def _broken_fields(config: dict[str, Any]) -> Iterator[Reason]:
    """One reason for every field of a wrong type or an impossible value, among those a LoRA's scaling needs."""
    rank, pattern = config.get("r", DEFAULT_RANK), config.get("rank_pattern")
    if not is_count(rank):
        yield Reason("config-broken", f"`r` in its configuration is {_number(rank)}, no positive integer.")
    if pattern is not None and not (isinstance(pattern, dict) and all(map(is_count, pattern.values()))):
        yield Reason("config-broken", "`rank_pattern` in its configuration maps no modules to ranks.")
    if not is_alpha(config.get("lora_alpha", DEFAULT_RANK)):
        yield Reason("config-broken", "`lora_alpha` in its configuration is no positive, finite number.")
    alphas = config.get("alpha_pattern")
    if alphas is not None and not (isinstance(alphas, dict) and all(map(is_alpha, alphas.values()))):
        yield Reason("config-broken", "`alpha_pattern` in its configuration maps no modules to positive numbers.")
    for key in ("rank_pattern", "alpha_pattern"):
        named = config.get(key)
        if isinstance(named, dict) and not all(map(PLAIN_NAME.fullmatch, named)):
            yield Reason("config-broken", f"`{key}` in its configuration holds expressions, which readers would run.")


def _broken_common(config: dict[str, Any]) -> Iterator[Reason]:
    """The same for the fields that every type has."""
    for key in ("use_rslora", "fan_in_fan_out"):
        if not isinstance(config.get(key), bool | None):
            yield Reason("config-broken", f"`{key}` in its configuration is neither true nor false.")
    targets = config.get("target_modules")
    listed = isinstance(targets, list) and all(isinstance(name, str) for name in targets)
    if targets is not None and not isinstance(targets, str) and not listed:
        yield Reason("config-broken", "`target_modules` in its configuration names no modules.")
    if not isinstance(config.get("base_model_name_or_path"), str | None):
        yield Reason("config-broken", "`base_model_name_or_path` in its configuration is no text.")


def _other_forms(config: dict[str, Any]) -> Iterator[Reason]:
    if config.get("use_dora"):
        yield Reason("dora", "It is a DoRA: it rescales the base's weights, so it is no part of a sum.")
    for key in VARIANTS:
        if config.get(key):
            yield Reason("not-lora", f"It is a variant of LoRA (`{key}`) that the mixture cannot hold.")
    if config.get("fan_in_fan_out"):
        sentence = "Its configuration is for transposed layers (`fan_in_fan_out`, as in GPT-2), not for linear ones."
        yield Reason("not-lora", sentence)
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(BASE_CHANGING):
        yield Reason("not-lora", f"It was begun with {brief(start)}, which changes the base's weights too.")


def _extra_modules(config: dict[str, Any]) -> Iterator[Reason]:
    for key in ("modules_to_save", "lora_bias", "trainable_token_indices"):
        if config.get(key):
            yield Reason("extra-modules", f"It changes more than LoRA matrices (`{key}`).")
    if config.get("bias") not in (None, "none"):
        yield Reason("extra-modules", f"It changes the base's biases (`bias: {brief(config['bias'])}`).")


def _number(value: Any) -> str:
    """A value in a sentence; a huge integer is not written out."""
    return "too big to write" if type(value) is int and abs(value) >= 2**63 else brief(value)
