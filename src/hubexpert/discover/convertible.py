"""What is against an adapter of a type that is converted to a LoRA: its configuration and the header of its weights."""

from collections.abc import Iterator, Mapping
from typing import Any

from hubexpert.discover.reasons import Reason, last_part, some
from hubexpert.escape import brief
from hubexpert.kinds import LARGEST_SIDE, Kind, Shape, faults, features, ranks, sizes, split

PREFIX = "base_model.model."


def kind_reasons(kind: Kind, config: Mapping[str, Any]) -> Iterator[Reason]:
    """The reasons in those fields of the configuration that are the type's own."""
    for sentence in faults(kind, config):
        yield Reason("config-broken", sentence)
    if kind.name == "MiSS" and config.get("init_weights") == "bat":
        yield Reason("not-lora", "It is the form `bat` of MiSS, whose update depends on the base's weights.")


def tensor_reasons(
    kind: Kind, header: Mapping[str, Shape], config: Mapping[str, Any], max_rank: int
) -> Iterator[Reason]:
    """The reasons against an adapter of that type with these tensors (name -> shape)."""
    found, others = _modules(kind, header)
    if not found:
        yield Reason("header-broken", f"Its weights hold no tensor of a {kind.name} under a name that PEFT would load.")
    if others:
        yield Reason("extra-modules", f"Its weights hold more than the tensors of a {kind.name}: {some(others)}.")
    wrong = [module for module, letters in found.items() if letters is None]
    if wrong:
        yield Reason("shape-mismatch", f"The tensors do not form a {kind.name} of linear layers: {some(wrong)}.")
    known = {module: letters for module, letters in found.items() if letters is not None}
    huge = [m for m, letters in known.items() if any((side or 0) > LARGEST_SIDE for side in features(kind, letters))]
    if huge:
        yield Reason("shape-mismatch", f"The tensors stand for a layer larger than any model has: {some(huge)}.")
    real, promised = _ranks(known), ranks(kind, config)
    fits = (lambda rank: rank <= max(promised)) if kind.pruned else promised.__contains__
    if promised and not all(map(fits, real)):
        yield Reason(
            "shape-mismatch", f"Its tensors have the rank {max(real)}; its configuration says {brief(max(promised))}."
        )
    if max(real, default=0) > max_rank:
        yield Reason("rank-too-high", f"Its tensors have the rank {max(real)}, above `discover.max_rank` ({max_rank}).")


def tensor_rank(kind: Kind, header: Mapping[str, Shape]) -> int | None:
    """The largest rank among the tensors; None where they tell none."""
    return max(_ranks(_modules(kind, header)[0]), default=None)


def tensor_targets(kind: Kind, header: Mapping[str, Shape]) -> tuple[str, ...]:
    """The last parts of the names of the modules that have tensors, sorted."""
    return tuple(sorted(set(map(last_part, _modules(kind, header)[0]))))


def kind_shapes(
    kind: Kind, header: Mapping[str, Shape]
) -> Iterator[tuple[str, tuple[int | None, int | None, int | None]]]:
    """Every module whose tensors form one of the type: its rank, inputs and outputs; None for what they do not tell."""
    for module, letters in _modules(kind, header)[0].items():
        if letters is not None:
            yield module, (letters.get("r"), *features(kind, letters))


def _modules(kind: Kind, header: Mapping[str, Shape]) -> tuple[dict[str, dict[str, int] | None], list[str]]:
    """Module -> what the letters of the type's shapes stand for, or None; and the other tensors."""
    modules, others = split(kind, iter(header), PREFIX)
    found = {
        module: sizes(kind, {part: header[f"{PREFIX}{module}.{part}"] for part in parts})
        for module, parts in modules.items()
    }
    return found, others


def _ranks(found: Mapping[str, Mapping[str, int] | None]) -> list[int]:
    return [letters["r"] for letters in found.values() if letters and "r" in letters]
