"""One adapter in full: everything that is known of it, and everything that speaks against it."""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from hubexpert import hub
from hubexpert.discover.aliases import names_of, same_base
from hubexpert.discover.convertible import kind_shapes
from hubexpert.discover.family import Family, family
from hubexpert.discover.header import matrices
from hubexpert.discover.inspection import reason_code
from hubexpert.discover.reasons import Code, last_part
from hubexpert.discover.verdict import Evidence, candidate, stated_base, verdict
from hubexpert.escape import brief, clean
from hubexpert.frontmatter import plain
from hubexpert.kinds import CONFIG_FILE, WEIGHTS_FILE, Kind, kind_of
from hubexpert.recipe import DiscoverSection, is_folder
from hubexpert.records import ACCEPTED, Candidate, Record


class ModuleShape(Record):
    """The modules of one name and shape that an adapter changes: W is [out, in], A [rank, in], B [out, rank].

    The tensors of a type that is converted may tell no rank, or no shape.
    """

    target: str
    modules: int
    rank: int | None
    inputs: int | None
    outputs: int | None


class Examined(Record):
    """What is known of one adapter.

    Attributes:
        adapter: its record, with the verdict and every reason.
        base: the base for which the verdict holds.
        configuration: its `adapter_config.json`; None where it cannot be read.
        modules: what it changes, by name and shape.
        parameters: numbers in its weights; None where their header cannot be read.
        scans: what the Hub's scans object to.
    """

    adapter: Candidate
    base: str | None
    configuration: dict[str, Any] | None
    modules: tuple[ModuleShape, ...]
    parameters: int | None
    scans: tuple[str, ...]


def examine(
    repo: str, base: str | None, section: DiscoverSection, *, revision: str | None = None, quiet: bool = False
) -> Examined:
    """Everything about one adapter; at most four requests.

    Args:
        repo: the adapter.
        base: the base's canonical id, or its folder; by default the one that the adapter names.
        section: what is admitted.
        revision: of the adapter; by default its main branch.
        quiet: tell of no wait on stderr.

    Raises:
        SourceError: there is no such repository, or it cannot be seen.
        HubExpertError: the Hub cannot be reached.
    """
    pace = hub.Pace(quiet)
    listing = hub.look(repo, revision, pace=pace)
    known = Evidence(family(base or "", (), ()), section, listing, named=True, license=listing.source.license)
    faults: list[tuple[Code, str]] = []
    try:
        known = dataclasses.replace(known, config=hub.read_json(listing.source, CONFIG_FILE, pace=pace))
    except hub.SourceError as error:
        faults.append((reason_code(error, "config-broken"), clean(error.message)))
    try:
        header = hub.weights_header(listing.source, WEIGHTS_FILE, pace=pace)
        known = dataclasses.replace(known, header=header.shapes, size=header.size)
    except hub.SourceError as error:
        faults.append((reason_code(error, "header-broken"), clean(error.message)))
    stated = stated_base(known)
    meant = base or stated
    known = dataclasses.replace(known, family=_family(meant or "", stated, pace))
    given = verdict(known)
    if given.code == ACCEPTED and faults:
        given = dataclasses.replace(given, code=faults[0][0])
    reasons = dict.fromkeys((*given.reasons, *(sentence for _, sentence in faults)))
    shapes = known.header or {}
    return Examined(
        adapter=candidate(known, ("id",), dataclasses.replace(given, reasons=tuple(reasons))),
        base=meant,
        configuration=_plain(known.config),
        modules=_modules(shapes, kind_of(known.config)),
        parameters=sum(map(math.prod, shapes.values())) if known.header is not None else None,
        scans=tuple(f"{brief(path)}: {brief(level)}" for path, level in listing.issues or ()),
    )


def _family(base: str, stated: str | None, pace: hub.Pace) -> Family:
    """The base's family, as far as the one repository that the adapter names belongs to it."""
    alone = family(base, (), ())
    if not stated or same_base(stated, base) or is_folder(base) or alone.relation(stated) or stated.count("/") != 1:
        return alone
    try:
        relations = {name.lower(): relation for relation, name in hub.look(stated, pace=pace).bases}
    except hub.SourceError:  # a base nobody can see is a stranger's
        return alone
    relation = next((relations[name.lower()] for name in names_of(base) if name.lower() in relations), None)
    quantized, tuned = ([stated] if relation == kind else [] for kind in ("quantized", "finetune"))
    return family(base, quantized, tuned)


def _modules(header: Mapping[str, tuple[int, ...]], kind: Kind | None) -> tuple[ModuleShape, ...]:
    """The modules with a pair of matrices, or the tensors of a type that is converted, counted by name and shape."""
    shapes = kind_shapes(kind, header) if kind else _pairs(header)
    counted = Counter((last_part(module), *shape) for module, shape in shapes)
    return tuple(
        ModuleShape(target=target, modules=number, rank=rank, inputs=inputs, outputs=outputs)
        for (target, rank, inputs, outputs), number in sorted(counted.items(), key=str)
    )


def _pairs(header: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Every module with a pair of matrices: its rank, inputs and outputs."""
    for module, pair in matrices(header).items():
        a, b = pair.get("A", ()), pair.get("B", ())
        if len(a) == len(b) == 2:
            yield module, (a[0], a[1], b[0])


def _plain(config: Any) -> dict[str, Any] | None:
    """A configuration that can be shown: values that no reader knows become None, and a bottomless one is none."""
    try:
        return dict(plain(config)) if isinstance(config, dict) else None
    except ValueError:
        return None
