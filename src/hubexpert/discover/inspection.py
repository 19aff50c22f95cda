"""Looking into an adapter's files: its configuration, then the header of its weights, until one speaks against it."""

import dataclasses
from collections.abc import Callable
from typing import Any

from hubexpert import hub
from hubexpert.discover.reasons import Code, Reason
from hubexpert.discover.snapshot import Snapshot
from hubexpert.discover.verdict import Evidence, Verdict, verdict
from hubexpert.escape import clean
from hubexpert.kinds import CONFIG_FILE, WEIGHTS_FILE
from hubexpert.records import ACCEPTED


def inspect(
    known: Evidence, snapshot: Snapshot, pace: hub.Pace, *, refresh: bool = False, offline: bool = False
) -> tuple[Evidence, Verdict]:
    """All that must be known of one adapter, and its verdict.

    Two requests at most, and a third where its licence has no id; none for what the snapshot knows of this commit.

    Args:
        known: what is known of it.
        snapshot: where its files' contents are kept.
        pace: of the requests.
        refresh: look again at what could not be read.
        offline: ask nothing.

    Raises:
        HubExpertError: the Hub cannot be reached.
    """
    source = known.listing.source
    key = f"adapter {source.repo} {source.revision}"
    stored = dict(snapshot.recall(key) or {})
    if refresh:
        stored = {what: value for what, value in stored.items() if not what.endswith("-fault")}
    before = dict(stored)
    try:
        for learn in (_config, _header, _license):
            if verdict(known).code != ACCEPTED:
                break
            known, fault = learn(known, stored, pace, offline)
            if fault:
                told = verdict(known)
                return known, dataclasses.replace(told, code=fault.code, reasons=(fault.sentence,))
        return known, verdict(known)
    finally:
        if stored != before:
            snapshot.keep(key, stored)


def _config(known: Evidence, stored: dict[str, Any], pace: hub.Pace, offline: bool) -> tuple[Evidence, Reason | None]:
    def read() -> Any:
        return hub.read_json(known.listing.source, CONFIG_FILE, pace=pace)

    value, fault = _learn("config", "config-broken", read, stored, offline)
    return (known if fault else dataclasses.replace(known, config=value)), fault


def _header(known: Evidence, stored: dict[str, Any], pace: hub.Pace, offline: bool) -> tuple[Evidence, Reason | None]:
    def read() -> Any:
        header = hub.weights_header(known.listing.source, WEIGHTS_FILE, pace=pace)
        return {"size": header.size, "shapes": header.shapes}

    value, fault = _learn("header", "header-broken", read, stored, offline)
    if fault:
        return known, fault
    shapes = {name: tuple(shape) for name, shape in value["shapes"].items()}
    return dataclasses.replace(known, header=shapes, size=value["size"]), None


def _license(known: Evidence, stored: dict[str, Any], pace: hub.Pace, offline: bool) -> tuple[Evidence, Reason | None]:
    if known.listing.source.license != "other":
        return known, None

    def read() -> Any:
        return hub.look(known.listing.source.repo, known.listing.source.revision, pace=pace).source.license or "other"

    value, fault = _learn("license", "unreadable", read, stored, offline)
    return (known if fault else dataclasses.replace(known, license=value)), fault


def _learn(
    what: str, broken: Code, read: Callable[[], Any], stored: dict[str, Any], offline: bool
) -> tuple[Any, Reason | None]:
    """The stored value or the one that is read, which is then stored; a fault of the content is stored, too."""
    fault = f"{what}-fault"
    if what in stored:
        return stored[what], None
    if fault in stored:
        return None, Reason(broken, stored[fault])
    if offline:
        return None, Reason("not-inspected", "It was never inspected, and there is no network now.")
    try:
        stored[what] = read()
    except hub.SourceError as error:
        sentence = clean(error.message)
        if error.kind == "broken":
            stored[fault] = sentence
        return None, Reason(reason_code(error, broken), sentence)
    return stored[what], None


def reason_code(error: hub.SourceError, broken: Code) -> Code:
    """The reason code for a repository that could not be read; `broken` where its content is at fault."""
    codes: dict[str, Code] = {"gated": "gated", "missing": "missing", "failing": "unreadable", "broken": broken}
    return codes[error.kind]
