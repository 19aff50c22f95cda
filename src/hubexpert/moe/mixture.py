"""A mixture's files, wherever they are, and what they say of themselves."""

from dataclasses import dataclass
from pathlib import Path

from hubexpert.moe.adapter import fetched, named_base
from hubexpert.records import Source


@dataclass(frozen=True)
class Mixture:
    """A mixture's folder, what it is called, and the base that it names."""

    folder: Path
    name: str
    source: Source | None  # None where it has no place on a Hub
    base: str
    base_revision: str | None


def open_mixture(repo_or_folder: str | Path, *, revision: str | None = None, name: str | None = None) -> Mixture:
    """The mixture in a repository, downloaded or cached, or in a folder.

    Args:
        repo_or_folder: a Hub id or a folder.
        revision: branch, tag or commit of the repository.
        name: what its exports call it; by default its repository or the folder's last part.

    Raises:
        HubExpertError: it cannot be had, or holds no adapter.
    """
    folder, source = fetched(repo_or_folder, revision)
    base, base_revision = named_base(folder)
    return Mixture(folder, name or (source.repo if source else folder.resolve().name), source, base, base_revision)
