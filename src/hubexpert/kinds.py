"""The types of PEFT adapters, other than LoRA, that are accepted because they can be converted to a LoRA.

Each adds a matrix to the weights of linear layers that follows from its file alone. Which types those are was decided
on the sources of PEFT 0.21; `docs/reason-codes.md` says why the others are not among them.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"  # what PEFT saves an adapter as
PLAIN_NAME = re.compile(r"[\w.]+")  # of a module; PEFT takes such a key for a regular expression and runs it
LARGEST_SIDE = 2**20  # features of a linear layer; the largest vocabularies have a quarter of that
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Kind:
    """One type.

    Attributes:
        name: as its authors write it; a configuration names it in capitals.
        forms: the sets of tensors a module may have: name -> its shape in letters, equal letters for equal sizes.
        inputs: the letters whose product is the layer's number of inputs; none where the tensors do not tell it.
        outputs: the letters whose product is the layer's number of outputs.
        rank: the configuration's field for `r`.
        default_rank: PEFT's own, where that field is missing.
        alpha: the configuration's field for alpha, if it has one.
        patterns: whether `rank_pattern` and `alpha_pattern` give single modules a rank or alpha of their own.
        fields: further fields of the configuration that the matrix depends on, with the types they may have.
        pruned: whether a module may have a smaller rank than the configuration says, down to none.
    """

    name: str
    forms: tuple[Mapping[str, str], ...]
    inputs: str = "i"
    outputs: str = "o"
    rank: str = "r"
    default_rank: int = 8
    alpha: str | None = None
    patterns: bool = False
    fields: Mapping[str, tuple[type, ...]] = field(default_factory=dict)
    pruned: bool = False


_W1, _W1_AB = {"lokr_w1": "ac"}, {"lokr_w1_a": "ar", "lokr_w1_b": "rc"}
_W2, _W2_AB = {"lokr_w2": "bd"}, {"lokr_w2_a": "br", "lokr_w2_b": "rd"}
_GRALORA = {"gralora_A": "kpr", "gralora_B": "krq"}

_KINDS = (
    Kind(
        "AdaLoRA", ({"lora_A": "ri", "lora_E": "r1", "lora_B": "or"},),
        rank="init_r", default_rank=12, alpha="lora_alpha", pruned=True,
    ),
    Kind(
        "DeLoRA", ({"delora_A": "ri", "delora_B": "or", "delora_lambda": "1", "delora_w_norm": "i"},), patterns=True
    ),
    Kind(
        "GraLoRA", (_GRALORA, _GRALORA | {"gralora_A_general.weight": "hi", "gralora_B_general.weight": "oh"}),
        inputs="kp", outputs="kq", default_rank=32, alpha="alpha", fields={"gralora_k": (int,), "hybrid_r": (int,)},
    ),
    Kind(
        "LoHa", ({"hada_w1_a": "or", "hada_w1_b": "ri", "hada_w2_a": "or", "hada_w2_b": "ri"},),
        alpha="alpha", patterns=True,
    ),
    Kind(
        "LoKr", (_W1 | _W2, _W1 | _W2_AB, _W1_AB | _W2, _W1_AB | _W2_AB), inputs="cd", outputs="ab",
        alpha="alpha", patterns=True, fields={"decompose_both": (bool,), "decompose_factor": (int,)},
    ),
    Kind(
        "MiSS", ({"miss_block": "rm"},), inputs="", outputs="",
        default_rank=64, fields={"init_weights": (bool, str), "mini_r": (int,)},
    ),
)  # fmt: skip

CONVERTIBLE: Mapping[str, Kind] = MappingProxyType({kind.name.upper(): kind for kind in _KINDS})


def kind_of(config: Any) -> Kind | None:
    """The convertible type of an adapter with this configuration (any JSON value); None where it is none."""
    named = config.get("peft_type") if isinstance(config, dict) else None
    return CONVERTIBLE.get(named) if isinstance(named, str) else None


def faults(kind: Kind, config: Mapping[str, Any]) -> Iterator[str]:
    """What is impossible in the fields that the matrix depends on, each as a sentence."""
    if not is_count(config.get(kind.rank, kind.default_rank)):
        yield f"`{kind.rank}` in its configuration is no positive integer."
    if kind.alpha and not is_alpha(config.get(kind.alpha, 8)):
        yield f"`{kind.alpha}` in its configuration is no positive, finite number."
    for key, fits in (("rank_pattern", is_count), ("alpha_pattern", is_alpha)):
        pattern = config.get(key)
        if pattern is None or not kind.patterns:
            continue
        if not (isinstance(pattern, dict) and all(map(fits, pattern.values()))):
            yield f"`{key}` in its configuration maps no modules to positive numbers."
        elif not all(map(PLAIN_NAME.fullmatch, pattern)):
            yield f"`{key}` in its configuration holds expressions, which readers would run."
    for key, types in kind.fields.items():
        value = config.get(key)
        if value is not None and (type(value) not in types or (type(value) is int and not -1 <= value < 2**31)):
            yield f"`{key}` in its configuration has an impossible value."


def ranks(kind: Kind, config: Mapping[str, Any]) -> frozenset[int]:
    """The ranks that the configuration names, as far as they make sense."""
    pattern = config.get("rank_pattern")
    named = [config.get(kind.rank, kind.default_rank), config.get("hybrid_r") if "hybrid_r" in kind.fields else None]
    if isinstance(pattern, dict) and kind.patterns:
        named += pattern.values()
    return frozenset(rank for rank in named if is_count(rank))


def of_module(kind: Kind, config: Mapping[str, Any], field: str, pattern: str, module: str) -> Any:
    """What `field` says for one module, None if nothing; entries of `pattern` go first, as PEFT reads plain names."""
    for name, value in (config.get(pattern) or {}).items() if kind.patterns else ():
        if f".{module}".endswith(f".{name}"):
            return value
    return config.get(field)


def split(kind: Kind, names: Iterator[str], prefix: str) -> tuple[dict[str, list[str]], list[str]]:
    """The tensors by module, and those that are not of this type."""
    parts = sorted({part for form in kind.forms for part in form}, key=len, reverse=True)
    pattern = re.compile(f"{re.escape(prefix)}(.+)\\.({'|'.join(map(re.escape, parts))})")
    modules: dict[str, list[str]] = {}
    others = []
    for name in names:
        match = pattern.fullmatch(name)
        if match:
            modules.setdefault(match[1], []).append(match[2])
        else:
            others.append(name)
    return modules, others


def sizes(kind: Kind, shapes: Mapping[str, Shape]) -> dict[str, int] | None:
    """What the letters stand for in a module with these tensors; None where they make no form of the type."""
    for form in kind.forms:
        if form.keys() != shapes.keys() or any(len(form[part]) != len(shapes[part]) for part in form):
            continue
        found: dict[str, int] = {"1": 1}
        pairs = [pair for part in form for pair in zip(form[part], shapes[part], strict=True)]
        fits = all(found.setdefault(letter, side) == side for letter, side in pairs)
        empty = any(side < 1 and not (kind.pruned and letter == "r") for letter, side in pairs)
        return None if empty or not fits else found
    return None


def features(kind: Kind, found: Mapping[str, int]) -> tuple[int | None, int | None]:
    """The layer's numbers of inputs and outputs; None where the tensors do not tell them."""
    inputs, outputs = (
        math.prod(found[letter] for letter in letters) if letters else None for letters in (kind.inputs, kind.outputs)
    )
    return inputs, outputs


def is_count(value: Any) -> bool:
    """Whether a value may be a rank or another number of things."""
    return type(value) is int and 0 < value < 2**31


def is_alpha(value: Any) -> bool:
    """Whether a value may be an alpha: a positive, finite number."""
    return type(value) in (int, float) and 0 < value < 2**31
