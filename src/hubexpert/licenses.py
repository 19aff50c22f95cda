"""The licence of a mixture: the most restrictive that fits its base, its experts and its data, or what conflicts.

A small table, and no legal advice; docs/licences.md shows it and says what it does and does not know.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from hubexpert.errors import HubExpertError
from hubexpert.escape import clean, shown_name
from hubexpert.lock import Lock, taken
from hubexpert.recipe import parse_recipe
from hubexpert.records import Source

# From the least to the most demanding: of several, the last one's terms are kept.
PERMISSIVE = (
    "cc0-1.0", "unlicense", "pddl", "wtfpl", "0bsd", "mit-0", "zlib", "isc", "mit", "bsd", "bsd-2-clause",
    "bsd-3-clause", "bsd-3-clause-clear", "postgresql", "bsl-1.0", "afl-3.0", "artistic-2.0", "ecl-2.0", "apache-2.0",
    "cdla-permissive-1.0", "cdla-permissive-2.0", "odc-by", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
)  # fmt: skip
SHARE_ALIKE = ("cc-by-sa-", "gpl", "agpl", "lgpl", "cdla-sharing", "odbl", "mpl-", "epl-", "eupl", "osl-", "gfdl")
CUSTOM = ("llama", "gemma", "openrail", "bigscience-", "creativeml-openrail", "bigcode-openrail")
CLASSES = (
    "permissive", "share-alike", "custom", "non-commercial", "non-commercial-share-alike", "no-derivatives", "unknown",
)  # fmt: skip
OTHER = "other"
SHARING = ("share-alike", "non-commercial-share-alike")
# What the texts of these licences or their stewards allow: a part under the first may be in a whole under the others.
ABSORBED_BY = {
    "cc-by-sa-2.0": ("cc-by-sa-2.5", "cc-by-sa-3.0", "cc-by-sa-4.0"),
    "cc-by-sa-2.5": ("cc-by-sa-3.0", "cc-by-sa-4.0"),
    "cc-by-sa-3.0": ("cc-by-sa-4.0",),
    "cc-by-sa-4.0": ("gpl-3.0",),
    "cc-by-nc-sa-2.0": ("cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    "cc-by-nc-sa-3.0": ("cc-by-nc-sa-4.0",),
    "cc-by-nc-2.0": ("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    "cc-by-nc-3.0": ("cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    "cc-by-nc-4.0": ("cc-by-nc-sa-4.0",),
    "mpl-2.0": ("lgpl-2.1", "lgpl-3.0", "gpl-2.0", "gpl-3.0", "agpl-3.0"),
    "lgpl-2.1": ("gpl-2.0", "gpl-3.0", "agpl-3.0"),
    "lgpl-3.0": ("gpl-3.0", "agpl-3.0"),
    "gpl-3.0": ("agpl-3.0",),
}
# Its patent clause is a restriction that version 2 of the GPL does not allow.
CONFLICTING = {frozenset(("apache-2.0", "gpl-2.0"))}
MOST_TOLD = 5  # pairs of culprits in one sentence


def classify(license_id: str | None) -> str:
    """The class of one licence id: one of `CLASSES`. What the table does not hold, and None, are `unknown`."""
    name = _id(license_id)
    if re.search(r"(^|-)nd(-|$)", name):
        return "no-derivatives"
    if re.search(r"(^|-)nc(-|$)", name) or "non-commercial" in name or "noncommercial" in name:
        return "non-commercial-share-alike" if re.search(r"-sa(-|$)", name) else "non-commercial"
    if name.startswith(SHARE_ALIKE):
        return "share-alike"
    if name.startswith(CUSTOM):
        return "custom"
    return "permissive" if name in PERMISSIVE else "unknown"


def meet(one: str | None, other: str | None) -> str | None:
    """The licence id of a whole of two parts; `other` where both bind it side by side, None where they conflict."""
    first, second = sorted((_id(one), _id(other)))
    kinds = (classify(first), classify(second))
    if "no-derivatives" in kinds or frozenset((first, second)) in CONFLICTING:
        return None
    if "unknown" in kinds:
        return OTHER
    if kinds == ("permissive", "permissive"):
        return max(first, second, key=PERMISSIVE.index)
    if first == second or "permissive" in kinds:
        return second if kinds[0] == "permissive" else first
    for part, whole in ((first, second), (second, first)):
        if whole in ABSORBED_BY.get(part, ()):
            return whole
    return None if any(kind in SHARING for kind in kinds) else OTHER


def roll_up(licenses: Sequence[str | None]) -> str:
    """The licence id of something made of parts under `licenses`; `other` where no single id does them justice.

    Permissive parts take on the licence of the most restrictive part that all others may be put under. Where there is
    none, where one is missing or unknown, and where some conflict, it is `other`.
    """
    wholes = {_id(name) for name in licenses if classify(name) != "unknown"}
    if not licenses or any(classify(name) == "unknown" for name in licenses):
        return OTHER
    fitting = [whole for whole in wholes if all(meet(whole, part) == whole for part in wholes)]
    return fitting[0] if fitting else OTHER


def other_name(licenses: Sequence[str | None]) -> str:
    """The `license_name` that goes with `other`: the ids that meet, such as `mixed-llama2-unknown`."""
    ids = sorted({_id(name) if classify(name) not in ("unknown", "permissive") else "" for name in licenses} - {""})
    ids += ["unknown"] if any(classify(name) == "unknown" for name in licenses) else []
    return "-".join(["mixed", *ids])[:96].rstrip("-.")


def parts(lock: Lock) -> tuple[Source, ...]:
    """What the mixture is made of: its base, its experts, and the data that it learned from or reads."""
    return (lock.base, *(expert.source for expert in lock.build.experts), *taken(lock))


def license_of(lock: Lock) -> str:
    """The licence id of the mixture: the one its publisher answers for, else that of its parts together."""
    chosen = parse_recipe(lock.recipe, name="the recipe in the lock").publish.license
    return clean(chosen).lower() if chosen else roll_up([part.license for part in parts(lock)])


def conflicts(sources: Sequence[Source]) -> tuple[str, ...]:
    """Why no licence fits all of the parts, one sentence a part or pair, with their names; empty where one may."""
    return tuple(dict.fromkeys(_conflicts(sources)))


def _conflicts(sources: Sequence[Source]) -> Iterator[str]:
    for part in sources:
        if classify(part.license) == "no-derivatives":
            yield f"{_named(part)} forbids derivatives"
    free = [part for part in sources if classify(part.license) != "no-derivatives"]
    for one, other in combinations(free, 2):
        if meet(one.license, other.license) is None:
            yield f"{_named(one)} and {_named(other)} cannot both be kept"


def _named(part: Source) -> str:
    return f"{shown_name(part.repo)} ({_id(part.license)})"


def check_licenses(lock: Lock) -> None:
    """See that some licence fits all parts of the mixture, or that the recipe's owner answers for one.

    Raises:
        HubExpertError: parts conflict and `publish.license` is not set; the culprits are named.
    """
    if parse_recipe(lock.recipe, name="the recipe in the lock").publish.license or not (why := conflicts(parts(lock))):
        return
    more = f"; and {len(why) - MOST_TOLD} more" if len(why) > MOST_TOLD else ""
    raise HubExpertError(
        f"The licences of the parts conflict, so the mixture may not be published: {'; '.join(why[:MOST_TOLD])}{more}.",
        fix="leave one side out (`discover.exclude`), then `hubexpert run`; or, where you have the right to, set "
        "`publish.license` (docs/licences.md)",
    )


def _id(license_id: str | None) -> str:
    """The licence id in lower case, without characters that no id has."""
    return re.sub(r"[^a-z0-9.+-]+", "-", (license_id or "").lower()).strip("-")
