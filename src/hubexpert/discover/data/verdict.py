"""May a dataset be used, and which of its columns make an example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hubexpert import hub
from hubexpert.discover.data.columns import guess
from hubexpert.discover.data.configs import ROLE, configs
from hubexpert.discover.data.features import row_columns
from hubexpert.escape import brief, clean
from hubexpert.recipe import DiscoverSection
from hubexpert.records import ACCEPTED, ColumnMap, DatasetCandidate, DatasetConfig

DataCode = Literal[
    "gated",
    "private",
    "missing",
    "unreadable",
    "license-unknown",
    "license-forbidden",
    "too-large",
    "no-columns",
    "not-looked-up",
]
FoundBy = Literal["cited", "search", "id"]
LARGEST = 5 * 1024**3  # bytes of a dataset's files
UNKNOWN = "Its columns are not known before a row is read."


@dataclass(frozen=True)
class Find:
    """A dataset's name, how it was found, who cites it; what the Hub says of it, where a search told already."""

    repo: str
    found_by: tuple[FoundBy, ...]
    cited_by: tuple[str, ...] = ()
    listing: hub.DatasetListing | None = None


def refused(find: Find, code: DataCode, reason: str) -> DatasetCandidate:
    """The dataset as one that cannot be used."""
    return _candidate(find, code, reason)


def judged(find: Find, listing: hub.DatasetListing, section: DiscoverSection) -> DatasetCandidate:
    """The dataset with a verdict and, if it may be used, a mapping: the recipe's, else a guess, else None."""
    told = configs(listing.card)
    override = override_of(find.repo, section) or override_of(listing.source.repo, section)
    fault = _fault(listing, section)
    if fault is None:
        fault, mapping = with_mapping(told, override)
    else:
        mapping = override
    code, reason = fault or (ACCEPTED, None if mapping else UNKNOWN)
    return _candidate(find, code, reason, listing, told, mapping)


def override_of(repo: str, section: DiscoverSection) -> ColumnMap | None:
    """What the recipe says of the dataset's columns."""
    return next((given for name, given in section.columns.items() if name.lower() == repo.lower()), None)


def with_mapping(
    told: Sequence[DatasetConfig], override: ColumnMap | None
) -> tuple[tuple[DataCode, str] | None, ColumnMap | None]:
    """A fault, if no columns fit, and the mapping; neither where no columns are known."""
    if override is None:
        mapping = guess(told)
        if mapping is None and any(config.columns for config in told):
            return (
                "no-columns",
                "None of its columns look like an input and an output; name them in the recipe.",
            ), None
        return None, mapping
    config = _config_of(told, override)
    absent = [name for name in named_columns(override) if config and not _has(config, name)]
    if absent:
        known = ", ".join(list(config.columns if config else ())[:12])
        return (
            "no-columns",
            f"It has no column `{brief(absent[0])}`, which the recipe names; it has {known}.",
        ), override
    return None, override


def with_row(found: DatasetCandidate, row: Mapping[str, Any], override: ColumnMap | None) -> DatasetCandidate:
    """The accepted dataset with what the first row of `config_read` tells of its columns."""
    name = config_read(found) or "default"
    before = {config.name: config for config in found.configs}
    told = before.get(name, DatasetConfig(name=name)).model_copy(update={"columns": row_columns(row)})
    fault, mapping = with_mapping((told,), override)
    if mapping is not None and override is None and name not in before:
        mapping = mapping.model_copy(update={"config": None})  # a name that nobody told
    code, reason = fault or (ACCEPTED, None)
    now = tuple({**before, name: told}.values())
    return found.model_copy(update={"verdict": code, "reason": reason, "configs": now, "mapping": mapping})


def config_read(found: DatasetCandidate) -> str | None:
    """The configuration of which a row is read: the mapping's, else the first; None where none is known."""
    if found.mapping and found.mapping.config:
        return found.mapping.config
    return found.configs[0].name if found.configs else None


def columns_known(found: DatasetCandidate) -> bool:
    """Whether the card told all columns with their types."""
    return any(config.columns and not _is_partial(config) for config in found.configs)


def named_columns(mapping: ColumnMap) -> tuple[str, ...]:
    """Every column that a mapping names."""
    optional = [name for name in (mapping.instruction, mapping.rationale) if name]
    return (*mapping.input, mapping.output, *mapping.choices, *optional)


def _config_of(told: Sequence[DatasetConfig], override: ColumnMap) -> DatasetConfig | None:
    """The configuration whose columns the override names, where all of them are known."""
    wanted = [config for config in told if override.config in (None, config.name)]
    known = [config for config in wanted if config.columns and not _is_partial(config)]
    # without a name any configuration that has them all will do
    fits = [config for config in known if all(_has(config, name) for name in named_columns(override))]
    return next(iter(fits or known), None)


def _is_partial(config: DatasetConfig) -> bool:
    return any(type_.startswith(ROLE) for type_ in config.columns.values())


def _has(config: DatasetConfig, name: str) -> bool:
    return name in config.columns


def _fault(listing: hub.DatasetListing, section: DiscoverSection) -> tuple[DataCode, str] | None:
    """Why a dataset cannot be used whatever its columns are."""
    license_ = listing.source.license
    if listing.private:
        return "private", "It is private, and what is made of it would be handed on."
    if listing.gated:
        return "gated", "It is gated: its authors give access person by person."
    allowed = {licence.lower() for licence in section.licenses}
    if (license_ or "unknown") not in allowed and not ("license:other" in listing.tags and "other" in allowed):
        if license_ is None:
            return "license-unknown", "It states no licence, and `discover.licenses` does not hold `unknown`."
        return "license-forbidden", f"Its licence {brief(license_)} is not among `discover.licenses`."
    if listing.size is not None and listing.size > LARGEST:
        return "too-large", f"It has {listing.size / 1024**3:.1f} GiB; at most {LARGEST // 1024**3} are read."
    return None


def _candidate(
    find: Find,
    code: str,
    reason: str | None,
    listing: hub.DatasetListing | None = None,
    told: tuple[DatasetConfig, ...] = (),
    mapping: ColumnMap | None = None,
) -> DatasetCandidate:
    return DatasetCandidate(
        repo=listing.source.repo if listing else clean(find.repo),
        source=listing.source if listing else None,
        verdict=code,
        reason=clean(reason) if reason else None,
        found_by=find.found_by,
        cited_by=find.cited_by,
        downloads=listing.downloads if listing else 0,
        size=listing.size if listing else None,
        configs=told,
        mapping=mapping,
    )
