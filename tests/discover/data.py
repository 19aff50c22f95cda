"""Datasets made for tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hubexpert.discover.data import Known
from hubexpert.discover.snapshot import open_snapshot
from hubexpert.localhub import Store
from hubexpert.records import Candidate, Source

CARD = """---
license: {license}
{extra}
---
# A dataset
"""
QUESTIONS = [{"question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(5)]


def dataset(
    store: Store,
    folder: Path,
    repo: str,
    rows: Sequence[Mapping[str, Any]] = QUESTIONS,
    *,
    license_: str = "mit",
    extra: str = "",
    files: Mapping[str, bytes] | None = None,
    private: bool = False,
) -> str:
    """A dataset of one JSON-lines file, or of these files, on the test Hub; its commit."""
    place = folder / repo.replace("/", "-")
    place.mkdir(parents=True)
    (place / "README.md").write_text(CARD.format(license=license_, extra=extra).replace("license: \n", ""))
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    for name, content in (files if files is not None else {"train.jsonl": lines}).items():
        (place / name).write_bytes(content)
    return store.add_folder(repo, place, repo_type="dataset", private=private)


def adapter(repo: str, *datasets: str) -> Candidate:
    """An accepted adapter that cites these datasets."""
    source = Source(repo=repo, revision="1" * 40, license="mit")
    return Candidate(source=source, verdict="accepted", found_by=("tag",), datasets=datasets)


def anew() -> Known:
    """The way to ask about datasets that takes nothing from former answers."""
    return Known(open_snapshot(), refresh=True)
