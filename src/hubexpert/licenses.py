"""The licence of a mixture: the most restrictive among those of its base and its experts.

A small table, and no legal advice; docs/licences.md says what it does and does not know.
"""

import re
from collections.abc import Sequence

from hubexpert.errors import HubExpertError

# From the least to the most demanding: of several, the last one's terms are kept.
PERMISSIVE = (
    "cc0-1.0", "unlicense", "pddl", "wtfpl", "0bsd", "mit-0", "zlib", "isc", "mit", "bsd", "bsd-2-clause",
    "bsd-3-clause", "bsd-3-clause-clear", "postgresql", "bsl-1.0", "afl-3.0", "artistic-2.0", "ecl-2.0", "apache-2.0",
    "cdla-permissive-1.0", "cdla-permissive-2.0", "odc-by", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
)  # fmt: skip
SHARE_ALIKE = ("cc-by-sa-", "gpl", "agpl", "lgpl", "cdla-sharing", "odbl", "mpl-", "epl-", "eupl", "osl-", "gfdl")
CUSTOM = ("llama", "gemma", "openrail", "bigscience-", "creativeml-openrail", "bigcode-openrail")
CLASSES = ("permissive", "share-alike", "custom", "non-commercial", "no-derivatives", "unknown")


def classify(license_id: str | None) -> str:
    """The class of one licence id: one of `CLASSES`. What the table does not hold, and None, are `unknown`."""
    name = _id(license_id)
    if re.search(r"(^|-)nd(-|$)", name):
        return "no-derivatives"
    if re.search(r"(^|-)nc(-|$)", name) or "non-commercial" in name or "noncommercial" in name:
        return "non-commercial"
    if name.startswith(SHARE_ALIKE):
        return "share-alike"
    if name.startswith(CUSTOM):
        return "custom"
    return "permissive" if name in PERMISSIVE else "unknown"


def roll_up(licenses: Sequence[str | None], *, names: Sequence[str] = ()) -> str:
    """The licence id of something made of parts under `licenses`; `other` where no single id does them justice.

    Permissive parts take on the licence of the one restrictive part. Two different restrictive licences conflict, and
    a missing or unknown one cannot be judged: both give `other`.

    Args:
        licenses: of the base and of every expert; None where there is none.
        names: what the parts are called, in the same order, for the error.

    Raises:
        HubExpertError: a part forbids derivatives, so there must be no mixture of it.
    """
    kinds = [classify(license_id) for license_id in licenses]
    if "no-derivatives" in kinds:
        called = names or [_id(license_id) for license_id in licenses]
        culprits = ", ".join(name for name, kind in zip(called, kinds, strict=True) if kind == "no-derivatives")
        raise HubExpertError(
            f"The licence of {culprits} forbids derivatives, so no mixture of it may be published.",
            fix=f"add {culprits} to `discover.exclude` in the recipe, then `hubexpert run`",
        )
    if "unknown" in kinds or not kinds:
        return "other"
    restrictive = sorted({_id(name) for name, kind in zip(licenses, kinds, strict=True) if kind != "permissive"})
    if len(restrictive) == 1:
        return restrictive[0]
    return "other" if restrictive else max((_id(name) for name in licenses), key=PERMISSIVE.index)


def other_name(licenses: Sequence[str | None]) -> str:
    """The `license_name` that goes with `other`: the ids that meet, such as `mixed-llama2-unknown`."""
    ids = sorted({_id(name) if classify(name) not in ("unknown", "permissive") else "" for name in licenses} - {""})
    ids += ["unknown"] if any(classify(name) == "unknown" for name in licenses) else []
    return "-".join(["mixed", *ids])[:96].rstrip("-.")


def _id(license_id: str | None) -> str:
    """The licence id in lower case, without characters that no id has."""
    return re.sub(r"[^a-z0-9.+-]+", "-", (license_id or "").lower()).strip("-")
