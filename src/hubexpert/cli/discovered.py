"""What discovery found, shown: tables for people, a line an adapter or dataset with `--json`."""

import importlib.util
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from hubexpert.cli.output import WIDTH, Out, size_text
from hubexpert.kinds import CONVERTIBLE

if TYPE_CHECKING:  # records load pydantic
    from hubexpert.records import Candidate, DatasetCandidate, Discovery

ROWS, REFUSED_ROWS, DATASET_ROWS = 15, 8, 10  # of the tables; what is left out is counted
OF_A_VERDICT = 3  # refused adapters that are shown of each verdict, beside those that were named
# The first keys of a line of `--json`; the others follow in the order of the record.
KEYS = (
    *("repo", "revision", "verdict", "reasons", "found_by"),
    *("rank", "target_modules", "license", "downloads"),
)


def show_discovery(found: "Discovery", refused: Path, show: str | None, out: Out) -> None:
    """The adapters, accepted ones first, how many of each verdict, the datasets, and what to do next.

    Args:
        found: what was inspected.
        refused: the file of those that were refused without an inspection.
        show: `adapters` or `datasets` only.
        out: where to.
    """
    from hubexpert.discover import read_refused

    if show != "datasets":
        out.records(map(_adapter, found.candidates))
        out.records(map(_adapter, read_refused(refused)))
        _show_adapters(found, out)
    if show != "adapters" and found.datasets:
        if show == "datasets":
            out.records(dataset.model_dump(mode="json") for dataset in found.datasets)
        _show_datasets(found, out)
    for candidate in found.candidates:
        if "id" in candidate.found_by and candidate.verdict != "accepted":
            out.hint(f"{candidate.source.repo} (named) is refused: {' '.join(candidate.reasons)}")
    for dataset in found.datasets:
        if "id" in dataset.found_by and dataset.verdict != "accepted":
            out.hint(f"The dataset {dataset.repo} (named) is refused: {dataset.reason}")
    if show != "datasets" and found.verdicts:
        accepted, total = found.verdicts.get("accepted", 0), sum(found.verdicts.values())
        out.hint(f"{accepted:,} of {total:,} adapters may be used. Why not another: hubexpert inspect OWNER/NAME")


def _adapter(c: "Candidate") -> dict[str, Any]:
    """A candidate as one line of `--json`: docs/discover.md says what the keys mean."""
    fields = {**c.model_dump(mode="json"), "repo": c.source.repo, "revision": c.source.revision}
    fields["license"] = fields.pop("source")["license"]
    return {**{key: fields[key] for key in KEYS}, **fields}


def _show_adapters(found: "Discovery", out: Out) -> None:
    if not found.verdicts:
        out.hint(f"No adapter of {found.base} was found on {found.endpoint}. Name one with --include OWNER/NAME.")
        return
    accepted = found.accepted
    total = sum(found.verdicts.values())
    if accepted:
        columns = ("adapter", "type", "rank", "modules", "licence", "downloads", "changed")
        title = f"Adapters of {found.base}: {len(accepted):,} of {total:,} may be used"
        out.table(title, columns, map(_row, accepted[:ROWS]))
        _more(len(accepted) - ROWS, "--json lists them all", out)
    else:
        out.text(f"None of {total:,} adapters of {found.base} may be used.\n")
    refused = _each_verdict([c for c in found.candidates if c.verdict != "accepted"])
    if refused:
        whys = [(c.source.repo, c.verdict, f"{c.downloads:,}", _first(c.reasons)) for c in refused]
        out.table("Refused, for instance", ("adapter", "verdict", "downloads", "why"), whys)
        others = total - len(accepted) - len(refused)
        _more(others, "hubexpert inspect OWNER/NAME explains each", out)
    _show_verdicts(found, out)


def _show_verdicts(found: "Discovery", out: Out) -> None:
    """How many adapters have which verdict, what that means, and which copies of the base count as the base."""
    from hubexpert.discover.reasons import MEANINGS

    meanings = {"accepted": "may be used", **{str(code): told for code, told in MEANINGS.items()}}
    counts = sorted(found.verdicts.items(), key=lambda item: (item[0] != "accepted", -item[1]))
    rows = [(verdict, f"{count:,}", meanings.get(verdict, "")) for verdict, count in counts]
    out.table(f"Verdicts on {sum(found.verdicts.values()):,} adapters", ("verdict", "adapters", "the adapter"), rows)
    names = [f"{relative.repo} ({relative.relation})" for relative in found.relatives]
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        out.text(f"Taken for the base, too: {', '.join(names[:5])}{more}\n")


def _each_verdict(refused: Sequence["Candidate"]) -> list["Candidate"]:
    """A few of the refused ones, of every verdict the first ones."""
    places: Counter[str] = Counter()
    shown = []
    for c in refused:
        places[c.verdict] += 1
        if places[c.verdict] <= OF_A_VERDICT or "id" in c.found_by:
            shown.append(c)
    return shown[:REFUSED_ROWS]


def _more(count: int, how: str, out: Out) -> None:
    """That there are more of them, and how to see those."""
    if count > 0:
        out.text(f"… and {count:,} more: {how}.\n")


def _show_datasets(found: "Discovery", out: Out) -> None:
    from hubexpert.discover.data.verdict import UNKNOWN

    accepted = [d for d in found.datasets if d.verdict == "accepted"]
    ordered = [*accepted, *(d for d in found.datasets if d.verdict != "accepted")]
    columns = ("dataset", "cited", "rows", "size", "licence", "input -> output", "verdict")
    title = f"Datasets: {len(accepted)} of {len(ordered)} may be used"
    out.table(title, columns, map(_dataset_row, ordered[:DATASET_ROWS]))
    _more(len(ordered) - DATASET_ROWS, "--show datasets --json lists them all", out)
    for d in accepted:
        if d.reason not in (None, UNKNOWN):
            out.text(fill(f"{d.repo}: {d.reason}", WIDTH, subsequent_indent="  ") + "\n")
    samples = [row for d in accepted for row in _sample_rows(d)]
    if samples:
        out.table("First rows, as the columns are read", ("dataset", "field", "value"), samples)
    elif accepted and importlib.util.find_spec("datasets") is None:
        out.hint("No rows of datasets were read: that needs pip install 'hubexpert[train]'.")


def _sample_rows(d: "DatasetCandidate") -> list[tuple[str, str, str]]:
    """A row for every field of the sample, the first with the dataset's name."""
    fields = list((d.sample or {}).items())
    return [(d.repo if place == 0 else "", field, _cut(value)) for place, (field, value) in enumerate(fields)]


def _dataset_row(d: "DatasetCandidate") -> tuple[object, ...]:
    """One dataset's line in the table."""
    license_ = d.source.license if d.source else None
    return d.repo, len(d.cited_by), _rows(d), size_text(d.size), license_, _columns(d), d.verdict


def _rows(dataset: "DatasetCandidate") -> str | None:
    """The rows of all splits of the configuration that is read, as far as they are told."""
    wanted = dataset.mapping.config if dataset.mapping else None
    config = next((c for c in dataset.configs if wanted in (None, c.name)), None)
    known = [count for count in config.splits.values() if count is not None] if config else []
    return f"{sum(known):,}" if known else None


def _columns(dataset: "DatasetCandidate") -> str | None:
    """The columns that become an example's input and output."""
    mapping = dataset.mapping
    return _cut(f"{' + '.join(mapping.input)} -> {mapping.output}", 26) if mapping else None


def _row(c: "Candidate") -> tuple[object, ...]:
    """One accepted adapter's line in the table."""
    day = (c.last_modified or "-")[:10]
    return c.source.repo, _type(c), c.rank, _targets(c.target_modules), c.source.license, f"{c.downloads:,}", day


def _type(c: "Candidate") -> str:
    """An adapter's type as its authors write it."""
    named = c.peft_type or "-"
    return CONVERTIBLE[named].name if named in CONVERTIBLE else named.replace("LORA", "LoRA")


def _targets(modules: tuple[str, ...], shown: int = 3) -> str:
    """The first modules, and how many more."""
    more = f" +{len(modules) - shown}" if len(modules) > shown else ""
    return " ".join(modules[:shown]) + more or "-"


def _first(reasons: tuple[str, ...]) -> str:
    """The first reason, and how many more there are."""
    more = f" (+{len(reasons) - 1})" if len(reasons) > 1 else ""
    return "".join(reasons[:1]) + more


def _cut(text: str, longest: int = 64) -> str:
    """A text on one line of the table."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
