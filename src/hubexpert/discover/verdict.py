"""May this adapter be used? A pure function of what is known of it; the codes are stable and scripted against."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hubexpert.discover.aliases import same_base
from hubexpert.discover.config import config_rank, config_reasons
from hubexpert.discover.header import header_rank, header_reasons, header_targets
from hubexpert.discover.reasons import Reason, brief
from hubexpert.discover.remarks import remarks
from hubexpert.hub import Listing, RepoFiles
from hubexpert.kinds import kind_of
from hubexpert.recipe import DiscoverSection, is_folder
from hubexpert.records import ACCEPTED

CONFIG_FILE, WEIGHTS_FILE, PICKLE_FILE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
MAX_SIZE = 2 * 1024**3  # bytes of the weights' file
UNREAD: Final = object()  # a configuration that is not read yet; None is one whose file says `null`


@dataclass(frozen=True)
class Evidence:
    """What is known of an adapter; `files`, `config` and `header` are added in the order of their cost.

    Attributes:
        base: the canonical id (or folder) of the base.
        section: what the recipe asks for.
        listing: what the Hub's listing says.
        named: whether the recipe names the adapter.
        config: the value in its `adapter_config.json`.
        files: its files' sizes and scans.
        header: its tensors' shapes.
    """

    base: str
    section: DiscoverSection
    listing: Listing
    named: bool = False
    config: Any = UNREAD
    files: RepoFiles | None = None
    header: Mapping[str, tuple[int, ...]] | None = None


@dataclass(frozen=True)
class Verdict:
    """`accepted` or the first reason's code, every reason's sentence, and the adapter's largest rank and targets.

    `remarks` are what is worth knowing and no fault; `peft_type` is the type that its configuration names.
    """

    code: str
    reasons: tuple[str, ...] = ()
    rank: int | None = None
    target_modules: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    peft_type: str | None = None


def verdict(evidence: Evidence) -> Verdict:
    """The verdict on what is known so far; `accepted` is final only when everything is known. Never raises."""
    found = [*_listing_reasons(evidence), *_license_reasons(evidence), *_files_reasons(evidence)]
    config, header, section = evidence.config, evidence.header, evidence.section
    if config is not UNREAD:
        found += config_reasons(config, section.max_rank)
        if isinstance(config, dict) and isinstance(config.get("base_model_name_or_path"), str):
            found += _base_reasons(evidence, config["base_model_name_or_path"])
    if header is not None:
        found += header_reasons(header, config, section.max_rank)
    kind = kind_of(config)
    named = config.get("peft_type") if isinstance(config, dict) else None
    unique = list(dict.fromkeys(found))
    return Verdict(
        code=unique[0].code if unique else ACCEPTED,
        reasons=tuple(reason.sentence for reason in unique),
        rank=header_rank(header, kind) if header else config_rank(config),
        target_modules=header_targets(header, kind) if header else (),
        remarks=tuple(remarks(config)),
        peft_type=brief(named) if isinstance(named, str) else None,
    )


def _listing_reasons(evidence: Evidence) -> Iterator[Reason]:
    listing = evidence.listing
    yield from _base_reasons(evidence, listing.base)
    if listing.private:
        yield Reason("private", "It is private, and the mixture would hand on its weights.")
    if listing.gated:
        yield Reason("gated", "It is gated: its authors give access person by person.")
    if WEIGHTS_FILE not in listing.files:
        if PICKLE_FILE in listing.files:
            yield Reason("pickle-only", f"Its weights exist only as a pickle ({PICKLE_FILE}), which can run code.")
        else:
            yield Reason("no-weights", f"It has no {WEIGHTS_FILE} at its root.")
    if CONFIG_FILE not in listing.files:
        yield Reason("config-broken", f"It has no {CONFIG_FILE} at its root.")


def _base_reasons(evidence: Evidence, stated: str | None) -> Iterator[Reason]:
    """Its configuration decides which base it belongs to; a local path there says little, so the card may.

    Of a base in a folder the Hub knows nothing, so there the user's word decides.
    """
    base, bases = evidence.base, evidence.listing.bases
    if evidence.named and is_folder(base):
        return
    on_card = any(same_base(name, base) for name in bases)
    if not stated:
        if bases and not on_card:
            yield Reason("other-base", f"Its card names the base {brief(bases[0])}.")
    elif not same_base(stated, base):
        folder = stated.rstrip("/\\").replace("\\", "/").rpartition("/")
        local = stated.startswith(("/", ".", "~")) or stated.count("/") != 1
        if not (local and (on_card or (evidence.named and same_base(folder[2], base.rpartition("/")[2])))):
            yield Reason("other-base", f"Its configuration names the base {brief(stated)}.")


def _license_reasons(evidence: Evidence) -> Iterator[Reason]:
    license_ = evidence.listing.source.license
    if license_ == "other":  # its name stands in the card, which is read with the files
        license_ = evidence.files.license if evidence.files else license_
        if not evidence.files:
            return
    allowed = {name.lower() for name in evidence.section.licenses}
    if license_ is None:
        if "unknown" not in allowed:
            yield Reason("license-unknown", "It states no licence, and `discover.licenses` does not hold `unknown`.")
    elif license_ not in allowed:
        yield Reason("license-forbidden", f"Its licence {brief(license_)} is not among `discover.licenses`.")


def _files_reasons(evidence: Evidence) -> Iterator[Reason]:
    if evidence.files is None:
        return
    size = evidence.files.sizes.get(WEIGHTS_FILE, 0)
    if size > MAX_SIZE:
        yield Reason("too-large", f"Its weights take {size / 1024**3:.1f} GiB; the limit is {MAX_SIZE // 1024**3} GiB.")
    for path, level in evidence.files.issues:
        if level in ("unsafe", "malicious") or path == WEIGHTS_FILE:
            yield Reason("unsafe-scan", f"The Hub's scan calls its file {brief(path)} {brief(level)}.")
