"""The lock `hubexpert.lock`: what was resolved and measured. The card is a pure function of it."""

from hubexpert.lock.file import (
    DIGITS,
    canonical,
    digest_of,
    holds,
    named_in,
    read_lock,
    render_lock,
    titled,
    write_lock,
)
from hubexpert.lock.kept import (
    locked_data,
    locked_discovery,
    locked_kard,
    locked_recipe,
    locked_scores,
    trained_digest,
    without_places,
)
from hubexpert.lock.places import shortened, unplaced
from hubexpert.lock.schema import schema_text
from hubexpert.lock.whole import DEFAULT_LOCK, LOCK_VERSION, Lock, LockedData, taken, used

__all__ = [
    "DEFAULT_LOCK",
    "DIGITS",
    "LOCK_VERSION",
    "Lock",
    "LockedData",
    "canonical",
    "digest_of",
    "holds",
    "locked_data",
    "locked_discovery",
    "locked_kard",
    "locked_recipe",
    "locked_scores",
    "named_in",
    "read_lock",
    "render_lock",
    "schema_text",
    "shortened",
    "taken",
    "titled",
    "trained_digest",
    "unplaced",
    "used",
    "without_places",
    "write_lock",
]
