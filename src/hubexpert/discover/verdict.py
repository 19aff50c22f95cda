"""May this adapter be used? A pure function of what is known of it; the codes are stable and scripted against."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from hubexpert.discover.aliases import same_base
from hubexpert.discover.config import config_rank, config_reasons
from hubexpert.discover.family import Family
from hubexpert.discover.header import header_rank, header_reasons, header_targets
from hubexpert.discover.reasons import Reason
from hubexpert.discover.remarks import config_remarks
from hubexpert.escape import brief
from hubexpert.hub import Listing
from hubexpert.kinds import CONFIG_FILE, WEIGHTS_FILE, kind_of
from hubexpert.recipe import DiscoverSection, is_folder
from hubexpert.records import ACCEPTED, Candidate

PICKLE_FILE = "adapter_model.bin"
MAX_SIZE = 2 * 1024**3  # bytes of the weights' file
UNREAD: Final = object()  # a configuration that is not read yet; None is one whose file says `null`


@dataclass(frozen=True)
class Evidence:
    """What is known of an adapter; `config` and `header` are added in the order of their cost.

    Attributes:
        family: the base that is looked for, and what other repositories are to it.
        section: what the recipe asks for.
        listing: what the Hub says of it.
        named: whether the recipe names the adapter.
        config: the value in its `adapter_config.json`.
        header: its tensors' shapes.
        size: bytes of its weights.
        license: once its card was read, the name of a licence that has no id; `other` where the card names none.
    """

    family: Family
    section: DiscoverSection
    listing: Listing
    named: bool = False
    config: Any = UNREAD
    header: Mapping[str, tuple[int, ...]] | None = None
    size: int | None = None
    license: str | None = None


@dataclass(frozen=True)
class Verdict:
    """`accepted` or the first reason's code, every reason's sentence, and the adapter's largest rank and targets.

    `remarks` are what is worth knowing and no fault; `peft_type` is the type that its configuration names.
    """

    code: str
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    rank: int | None = None
    target_modules: tuple[str, ...] = ()
    peft_type: str | None = None


def verdict(evidence: Evidence) -> Verdict:
    """The verdict on what is known so far; `accepted` is final only when everything is known. Never raises."""
    found = [*_listing_reasons(evidence), *_license_reasons(evidence), *_safety_reasons(evidence)]
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
        remarks=(*config_remarks(config), *_relation_remarks(evidence)),
        rank=header_rank(header, kind) if header else config_rank(config),
        target_modules=header_targets(header, kind) if header else (),
        peft_type=brief(named) if isinstance(named, str) else None,
    )


def stated_base(evidence: Evidence) -> str | None:
    """The base that the adapter names: in its configuration, else on its card."""
    config = evidence.config
    stated = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if isinstance(stated, str) and stated:
        return stated
    return evidence.listing.base or next(iter(_card_bases(evidence.listing)), None)


def _listing_reasons(evidence: Evidence) -> Iterator[Reason]:
    listing = evidence.listing
    yield from _base_reasons(evidence, listing.base)
    since = evidence.section.since
    if since and (listing.last_modified or "")[:10] < since.isoformat():
        yield Reason("too-old", f"It last changed on {(listing.last_modified or 'an unknown day')[:10]}.")
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
    base, related = evidence.family.base, evidence.family.relation
    if evidence.named and is_folder(base):
        return
    on_card = _card_bases(evidence.listing)
    decisive = [stated] if stated else on_card
    if stated and not related(stated) and _is_local(stated):
        folder = stated.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
        if evidence.named and same_base(folder, base.rpartition("/")[2]):
            return
        decisive = on_card if any(map(related, on_card)) else decisive
    relations = [related(name) for name in decisive]
    if "finetune" in relations and not {"same", "mirror", "quantized"} & set(relations):
        if not evidence.section.finetunes:
            name = brief(decisive[relations.index("finetune")])
            yield Reason("base-is-finetune", f"It belongs to {name}, a fine-tune of the base (see --finetunes).")
    elif decisive and not any(relations):
        where = "configuration" if stated else "card"
        yield Reason("other-base", f"Its {where} names the base {brief(decisive[0])}.")


def _is_local(name: str) -> bool:
    """Whether a base is named by a place on somebody's machine."""
    return name.startswith(("/", ".", "~")) or name.count("/") != 1


def _card_bases(listing: Listing) -> list[str]:
    """The bases on its card: those of an adapter first, since the Hub may take it for something else."""
    return [name for _, name in sorted(listing.bases, key=lambda base: base[0] != "adapter")]


def _license_reasons(evidence: Evidence) -> Iterator[Reason]:
    allowed = {name.lower() for name in evidence.section.licenses}
    license_ = evidence.license or evidence.listing.source.license
    if evidence.listing.license_id in allowed:
        return
    if license_ is None:
        if "unknown" not in allowed:
            yield Reason("license-unknown", "It states no licence, and `discover.licenses` does not hold `unknown`.")
    elif license_ not in allowed and (license_ != "other" or evidence.license):
        # The name of a licence that has no id stands in the card, which is read later.
        yield Reason("license-forbidden", f"Its licence {brief(license_)} is not among `discover.licenses`.")


def _safety_reasons(evidence: Evidence) -> Iterator[Reason]:
    size = evidence.listing.size if evidence.size is None else evidence.size
    if size is not None and size > MAX_SIZE:
        yield Reason("too-large", f"Its weights take {size / 1024**3:.1f} GiB; the limit is {MAX_SIZE // 1024**3} GiB.")
    yield from scan_reasons(evidence.listing.issues or ())


def scan_reasons(issues: Sequence[tuple[str, str]]) -> Iterator[Reason]:
    """What the Hub's scans say against an adapter: (file, level)."""
    for path, level in issues:
        if level in ("unsafe", "malicious") or path == WEIGHTS_FILE:
            yield Reason("unsafe-scan", f"The Hub's scan calls its file {brief(path)} {brief(level)}.")


def _relation_remarks(evidence: Evidence) -> Iterator[str]:
    """What is worth knowing of the adapter and no fault."""
    stated = stated_base(evidence)
    relation = evidence.family.relation(stated) if stated else None
    told = {"mirror": "a copy", "quantized": "a quantised copy", "finetune": "a fine-tune"}
    if stated and relation in told:
        yield f"It was made for {brief(stated)}, {told[relation]} of the base."


def candidate(evidence: Evidence, found_by: tuple[Literal["tag", "config", "id"], ...], given: Verdict) -> Candidate:
    """The record of an adapter on which this verdict was given."""
    listing = evidence.listing
    stated = stated_base(evidence)
    source = listing.source
    if evidence.license:
        source = source.model_copy(update={"license": evidence.license})
    return Candidate(
        source=source,
        verdict=given.code,
        reasons=given.reasons,
        remarks=given.remarks,
        found_by=found_by,
        base=brief(stated) if stated else None,
        relation=evidence.family.relation(stated) if stated else None,
        peft_type=given.peft_type,
        rank=given.rank,
        target_modules=given.target_modules,
        size=evidence.size if evidence.size is not None else listing.size,
        downloads=listing.downloads,
        likes=listing.likes,
        author=listing.author,
        last_modified=listing.last_modified,
        datasets=listing.datasets,
    )
