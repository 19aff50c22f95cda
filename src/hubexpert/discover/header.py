"""What the header of the weights says against the adapter: the shapes it really has."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hubexpert.discover.config import config_ranks
from hubexpert.discover.convertible import tensor_rank, tensor_reasons, tensor_targets
from hubexpert.discover.reasons import SHOWN, Reason, brief, some
from hubexpert.kinds import Kind, kind_of

Header = Mapping[str, tuple[int, ...]]
MATRIX = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")


def header_reasons(header: Header, config: Any, max_rank: int) -> Iterator[Reason]:
    """The reasons against an adapter with these tensors (name -> shape) and this configuration."""
    if not all(name.isprintable() for name in header):
        yield Reason("header-broken", "Its weights hold names with characters that no module's name has.")
    kind = kind_of(config)
    yield from tensor_reasons(kind, header, config, max_rank) if kind else _lora_reasons(header, config, max_rank)


def _lora_reasons(header: Header, config: Any, max_rank: int) -> Iterator[Reason]:
    pairs = _pairs(header)
    others = [name for name in header if not MATRIX.fullmatch(name)]
    magnitudes = [name for name in others if "lora_magnitude_vector" in name]
    extra = [name for name in others if "lora_magnitude_vector" not in name]
    if not pairs:
        yield Reason("header-broken", "Its weights hold no LoRA matrix under a name that PEFT would load.")
    if magnitudes:
        yield Reason("dora", "Its weights hold DoRA's magnitude vectors.")
    if extra:
        yield Reason("extra-modules", f"Its weights hold more than LoRA matrices: {some(extra)}.")
    wrong = [module for module, pair in pairs.items() if not _fits(pair)]
    if wrong:
        yield Reason("shape-mismatch", f"A and B do not form a pair [r, in], [out, r]: {some(wrong)}.")
    ranks, promised = _ranks(header), config_ranks(config)
    if ranks and promised and not ranks <= promised:
        told, real = ", ".join(map(str, sorted(promised)[:SHOWN])), ", ".join(map(str, sorted(ranks)[:SHOWN]))
        yield Reason("shape-mismatch", f"Its matrices have the rank {real}; its configuration says {told}.")
    if ranks and max(ranks) > max_rank:
        yield Reason(
            "rank-too-high", f"Its matrices have the rank {max(ranks)}, above `discover.max_rank` ({max_rank})."
        )


def header_rank(header: Header, kind: Kind | None) -> int | None:
    """The largest rank among the matrices of a LoRA, or of a type that is converted; None where there is none."""
    return tensor_rank(kind, header) if kind else max(_ranks(header), default=None)


def header_targets(header: Header, kind: Kind | None) -> tuple[str, ...]:
    """The last parts of the names of the modules that have matrices, sorted."""
    if kind:
        return tensor_targets(kind, header)
    return tuple(sorted({brief(module.rpartition(".")[2]) for module in _pairs(header)}))


def _pairs(header: Header) -> dict[str, dict[str, tuple[int, ...]]]:
    """Module -> the shapes of its A and B."""
    pairs: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in header.items():
        match = MATRIX.fullmatch(name)
        if match:
            pairs.setdefault(match[1], {})[match[2]] = shape
    return pairs


def _fits(pair: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether A is [r, in] and B is [out, r], none of them empty."""
    first, second = pair.get("A", ()), pair.get("B", ())
    return len(first) == len(second) == 2 and min(*first, *second) > 0 and first[0] == second[1]


def _ranks(header: Header) -> frozenset[int]:
    return frozenset(pair["A"][0] for pair in _pairs(header).values() if len(pair.get("A", ())) == 2)
