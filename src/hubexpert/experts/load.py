"""The one door through which adapters are loaded: a LoRA as it is, other types converted once and kept."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from hubexpert import hub
from hubexpert.conversion import MAX_RANK, convert
from hubexpert.discover.verdict import scan_reasons
from hubexpert.errors import HubExpertError, first_line
from hubexpert.factors import PREFIX, Factors, UnusableError, read_config, read_factors
from hubexpert.kinds import CONFIG_FILE, WEIGHTS_FILE, kind_of
from hubexpert.records import Source
from hubexpert.workspace import METHOD

CONVERSION = "conversion-error"
MOST_LOST = 0.1  # above this it is another adapter than the one that was published
ERROR_FILE = "conversion.json"


def adapter_factors(source: Source, base: Callable[[], nn.Module]) -> Factors:
    """The factors of an adapter at its commit, from the cache or the Hub; of another type than LoRA, converted.

    What was converted is kept as a plain LoRA beside the Hub's cache, so every stage gets the same factors and none
    converts again.

    Args:
        source: the adapter.
        base: gives the base; called only where something has to be converted.

    Raises:
        UnusableError: the Hub's scans call it unsafe, its weights cannot be used, or the conversion loses too much.
        SourceError: it cannot be had.
        HubExpertError: the Hub cannot be reached, or the disk is full.
    """
    fetch(source)
    folder = hub.download(source, (CONFIG_FILE, WEIGHTS_FILE))
    kind = kind_of(read_config(folder))
    if kind is None:
        return read_factors(folder)
    kept = hub.assets(source) / f"lora-{MAX_RANK}-{METHOD}"
    if not kept.is_dir():
        factors = convert(base(), folder)
        lost = factors.conversion_error or 0.0
        if lost > MOST_LOST:
            raise UnusableError(
                CONVERSION, f"as a LoRA of rank {MAX_RANK} it loses {100 * lost:.0f} % of what the {kind.name} changes"
            )
        _keep(factors, kept)
    error = json.loads((kept / ERROR_FILE).read_text(encoding="utf-8"))["error"]
    return replace(read_factors(kept), conversion_error=error)


def fetch(source: Source) -> int:
    """See that the adapter's files are on this machine; how many bytes of weights were downloaded for that.

    What the Hub's scans say is asked before weights are downloaded, not about what is on this machine already.

    Raises:
        UnusableError: the Hub's scans call it unsafe.
        SourceError: it cannot be had.
        HubExpertError: the Hub cannot be reached, or the disk is full.
    """
    if hub.cached(source, WEIGHTS_FILE) and hub.cached(source, CONFIG_FILE):
        return 0
    for reason in scan_reasons(hub.look(source.repo, source.revision).issues or ()):
        raise UnusableError(reason.code, reason.sentence)
    return (hub.download(source, (CONFIG_FILE, WEIGHTS_FILE)) / WEIGHTS_FILE).stat().st_size


def _keep(factors: Factors, folder: Path) -> None:
    """Write the factors as a LoRA with the scaling 1, into a folder that is there only when it is whole."""
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as temporary:
            made = Path(temporary, folder.name)
            made.mkdir()
            _write(factors, made)
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():  # another process was not first
                    raise
    except (OSError, SafetensorError) as error:
        raise HubExpertError(
            f"A converted adapter cannot be written to {folder}: {first_line(error)}.",
            fix="make room there, or set HF_ASSETS_CACHE to another folder",
        ) from error


def _write(factors: Factors, folder: Path) -> None:
    modules = sorted(factors.a, key=lambda module: (-len(module), module))  # the longest first: names are suffixes
    ranks = {module: factors.a[module].shape[0] for module in modules}
    config = {
        "peft_type": "LORA",
        "r": factors.rank,
        "lora_alpha": factors.rank,
        "rank_pattern": ranks,
        "alpha_pattern": ranks,
        "target_modules": modules,
        "bias": "none",
    }
    tensors = {f"{PREFIX}{module}.lora_A.weight": factors.a[module] for module in modules}
    tensors |= {f"{PREFIX}{module}.lora_B.weight": factors.b[module] for module in modules}
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=1), encoding="utf-8")
    (folder / ERROR_FILE).write_text(json.dumps({"error": factors.conversion_error}), encoding="utf-8")
