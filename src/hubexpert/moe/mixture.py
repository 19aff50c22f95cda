"""A mixture's files, wherever they are, and what they say of themselves."""

from dataclasses import dataclass
from pathlib import Path

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.factors import CONFIG_FILE, WEIGHTS_FILE
from hubexpert.lock import DEFAULT_LOCK
from hubexpert.moe.adapter import named_base
from hubexpert.moe.stored import ROUTER_FILE
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
    folder, source = Path(repo_or_folder), None
    if not folder.is_dir():
        source = hub.resolve(str(repo_or_folder), revision=revision)
        folder = hub.download(source, (CONFIG_FILE, WEIGHTS_FILE, ROUTER_FILE, DEFAULT_LOCK))
    if not (folder / CONFIG_FILE).is_file() or not (folder / WEIGHTS_FILE).is_file():
        raise HubExpertError(f"{repo_or_folder} holds no adapter.", fix="name a repository that hubexpert published")
    base, base_revision = named_base(folder)
    return Mixture(folder, name or (source.repo if source else folder.resolve().name), source, base, base_revision)
