"""What the recipe names as knowledge, pinned: datasets at their commits, files by a digest of their contents."""

from collections.abc import Sequence
from pathlib import Path

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.recipe import ROWS, is_folder
from hubexpert.records import Source
from hubexpert.workspace import contents_digest

TEXTS = (".txt", ".md", ".txt.gz", ".md.gz")  # how files that are one text end


def pinned(names: Sequence[str], beside: Path) -> tuple[Source, ...]:
    """The sources in the order of their names, each once.

    Args:
        names: datasets on the Hub (owner/name, optionally `@revision`), and folders and files: what begins as a path,
            or ends as a file of rows or plain text.
        beside: where paths count from: the recipe's folder.

    Raises:
        SourceError: a dataset is missing, private or gated.
        HubExpertError: there are no such files, or the Hub cannot be reached.
    """
    return tuple(dict.fromkeys(_pinned(name.strip(), beside) for name in names))


def _pinned(name: str, beside: Path) -> Source:
    if not is_local_text(name):
        repo, _, revision = name.partition("@")
        return hub.look_dataset(repo, revision or None).source
    name = name if is_folder(name) else f"./{name}"  # no dataset on the Hub can be called so
    return Source(repo=name, revision=contents_digest(files_of(name, beside)), repo_type="dataset")


def is_local_text(name: str) -> bool:
    """Whether a source is named as a folder, by its path, or as a file of rows or plain text."""
    return is_folder(name) or name.endswith(ROWS + TEXTS)


def files_of(name: str, beside: Path) -> list[Path]:
    """The files of rows and of plain text that a path names: itself, or all below the folder, hidden ones left out.

    Raises:
        HubExpertError: there are none.
    """
    place = beside / Path(name).expanduser()
    found = sorted(path for path in place.rglob("*") if _is_text(path, place)) if place.is_dir() else [place]
    if not found or not all(path.is_file() for path in found):
        raise HubExpertError(
            f"There are no texts at {place}.",
            fix=f"correct `data.knowledge.sources`: files that end with {', '.join(ROWS + TEXTS)}, or a folder of them",
        )
    return found


def _is_text(path: Path, place: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(place).parts)
    return path.name.endswith(ROWS + TEXTS) and path.is_file() and not hidden
