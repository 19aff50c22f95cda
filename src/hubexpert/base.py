"""The base as a source: an alias or id at a commit of the Hub, or a folder by its contents."""

from pathlib import Path

from hubexpert import hub
from hubexpert.discover.search import resolve_name
from hubexpert.errors import HubExpertError
from hubexpert.records import Source
from hubexpert.workspace import contents_digest


def resolve_base(name: str) -> Source:
    """The base at a commit: an alias, a Hub id or the name of a model there, each with an optional @revision.

    Raises:
        AmbiguousBaseError: the name means several bases.
        HubExpertError: there is no such base.
    """
    repo, revision = resolve_name(name)
    return hub.resolve(repo, revision=revision)


def base_folder(recipe_folder: Path, base: str) -> Path:
    """The folder of a model that is named by a path, which counts from the recipe's folder.

    Raises:
        HubExpertError: there is no model.
    """
    folder = recipe_folder / Path(base).expanduser()
    if not (folder / "config.json").is_file():
        raise HubExpertError(
            f"There is no model at {folder}.",
            fix="correct the path: `base` in the recipe, or --base, or `data.teacher.model`",
        )
    return folder


def folder_source(name: str, folder: Path) -> Source:
    """The base in `folder` as a source: its revision is the SHA-1 of its files' names and contents."""
    return Source(repo=name, revision=contents_digest(path for path in folder.iterdir() if path.is_file()))
