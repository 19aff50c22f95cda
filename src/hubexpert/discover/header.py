"""What the header of the weights says against the adapter: the shapes it really has."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hubexpert.discover.config import config_ranks
from hubexpert.discover.convertible import tensor_rank, tensor_reasons, tensor_targets
from hubexpert.discover.reasons import SHOWN, Reason, last_part, some
from hubexpert.kinds import Kind, kind_of

Header = Mapping[str, tuple[int, ...]]
MATRIX = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
# Matrices with a row a token. PEFT saves them unasked only where the number of tokens is no longer the base's.
EMBEDDINGS = "embed_tokens|embed_in|embed_out|lm_head|shared|tok_embeddings|word_embeddings|wte"
VOCABULARY = re.compile(rf"(?:.+\.)?(?:{EMBEDDINGS})(?:\.base_layer)?\.weight")


def header_reasons(header: Header, config: Any, max_rank: int) -> Iterator[Reason]:
    """The reasons against an adapter with these tensors (name -> shape) and this configuration.

    What is of a type that is refused has other tensors, of which there is nothing to say.
    """
    if not all(name.isprintable() for name in header):
        yield Reason("header-broken", "Its weights hold names with characters that no module's name has.")
    kind = kind_of(config)
    if kind:
        yield from tensor_reasons(kind, header, config, max_rank)
    elif not isinstance(config, dict) or config.get("peft_type") == "LORA":
        yield from _lora_reasons(header, config, max_rank)


def _lora_reasons(header: Header, config: Any, max_rank: int) -> Iterator[Reason]:
    pairs = matrices(header)
    others = [name for name in header if not MATRIX.fullmatch(name)]
    magnitudes = [name for name in others if "lora_magnitude_vector" in name]
    added = [name for name in others if VOCABULARY.fullmatch(name)] if not _asks_for_vocabulary(config) else []
    extra = [name for name in others if "lora_magnitude_vector" not in name and name not in added]
    if not pairs:
        yield Reason("header-broken", "Its weights hold no LoRA matrix under a name that PEFT would load.")
    if magnitudes:
        yield Reason("dora", "Its weights hold DoRA's magnitude vectors.")
    if added:
        yield Reason("vocab-changed", f"Tokens were added to the base's vocabulary: it holds {some(added)}.")
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
    return tuple(sorted(set(map(last_part, matrices(header)))))


def _asks_for_vocabulary(config: Any) -> bool:
    """Whether the configuration itself wants embeddings or the output matrix saved or adapted."""
    fields = config if isinstance(config, dict) else {}
    if fields.get("modules_to_save"):
        return True
    targets = fields.get("target_modules")
    named = targets if isinstance(targets, list) else [targets]
    return any(isinstance(name, str) and re.search(EMBEDDINGS, name) for name in named)


def matrices(header: Header) -> dict[str, dict[str, tuple[int, ...]]]:
    """Module -> the shapes of its A and B, by those letters; also where one of them is missing."""
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
    return frozenset(pair["A"][0] for pair in matrices(header).values() if len(pair.get("A", ())) == 2)
