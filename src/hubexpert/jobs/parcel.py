"""What a job is given: the recipe and the files it names, as one folder, known by the fingerprint of its contents."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import yaml

from hubexpert import hub
from hubexpert.errors import HubExpertError
from hubexpert.jobs.barriers import refuse_barriers
from hubexpert.jobs.code import is_checkout, origin, write_wheel
from hubexpert.knowledge.sources import files_of, is_local_text
from hubexpert.lock.places import HERE, placeless, shortened
from hubexpert.recipe import ROWS, Recipe, is_local, read_recipe
from hubexpert.records import Record
from hubexpert.secrets import TOKEN, find_secrets
from hubexpert.workspace import METHOD, file_digest, fingerprint

RECIPE, MANIFEST = "hubexpert.yaml", "parcel.json"
FOLDER = "recipe-folder"  # what stands for each folder that paths such as ../../data climb out of
KEY = 32  # characters of the fingerprint: enough to tell, short enough for a label


class Manifest(Record):
    """What a parcel holds: its files with their SHA-256, and in which of its folders the recipe lies."""

    beside: str
    files: dict[str, str]


@dataclass(frozen=True)
class Parcel:
    """A folder that is ready to be sent.

    Attributes:
        key: the fingerprint of all that the result depends on.
        recipe: as it travels: paths of this machine are cut to their last part, as in the lock.
        folder: where it stands.
        wheel: the name of the wheel of hubexpert in it; None where pip finds hubexpert elsewhere.
    """

    key: str
    recipe: Recipe
    folder: Path
    wheel: str | None


def pack(recipe_path: Path, folder: Path) -> Parcel:
    """The parcel of a recipe, written into an empty folder.

    Raises:
        HubExpertError: something that the recipe names cannot travel or is missing, or the Hub's token stands in it.
    """
    recipe = read_recipe(recipe_path)
    refuse_barriers(recipe)
    here = recipe_path.parent
    found = _files(recipe, here)
    climbs = max((_climbs(name) for name in found), default=0)
    beside = "/".join([FOLDER] * climbs) or "."
    travelling = placeless(recipe.model_dump(mode="json", exclude_unset=True))
    placed = {os.path.normpath(f"{beside}/{name}"): path for name, path in found.items()}
    _write(folder / beside / RECIPE, yaml.safe_dump(travelling, allow_unicode=True, sort_keys=False))
    for name, path in placed.items():
        _place(folder, name, path)
    _refuse_secrets(folder)
    wheel = write_wheel(folder) if is_checkout(origin()) else None
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    if bad := next((name for name in names if not hub.is_safe(name)), None):
        raise HubExpertError(f"A file cannot travel under the name {bad!r}.", fix="rename it: letters, digits, . _ -")
    manifest = Manifest(beside=beside, files={name: file_digest(folder / name) for name in names})
    _write(folder / MANIFEST, manifest.model_dump_json(indent=1))
    key = fingerprint({"parcel": manifest, "hubexpert": version("hubexpert"), "method": METHOD})[:KEY]
    return Parcel(key, recipe, folder, wheel)


def _files(recipe: Recipe, here: Path) -> dict[str, Path]:
    """The files that the recipe names, by their paths from the recipe's folder, as the travelling recipe names them."""
    found: dict[str, Path] = {}
    for name, path in _named(recipe, here):
        if found.setdefault(name, path).resolve() != path.resolve():
            raise HubExpertError(
                f"{found[name]} and {path} would both travel as {name}.", fix="rename one, or put it beside the recipe"
            )
    return found


def _named(recipe: Recipe, here: Path) -> Iterator[tuple[str, Path]]:
    for name in filter(None, (recipe.task.shots, recipe.task.test)):
        yield from _each(name, here / name, "*.jsonl")
    for name in filter(is_local, recipe.data.datasets):
        for end in ROWS:
            yield from _each(name, here / Path(name).expanduser(), f"*{end}")
    for name in filter(is_local_text, recipe.data.knowledge.sources if recipe.data.knowledge else ()):
        place = here / Path(name).expanduser()
        for path in files_of(name, here):
            yield _under(name, place, path), path


def _each(name: str, place: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    """The file, or those of the folder; an error where there is nothing."""
    if not place.exists():
        raise HubExpertError(f"There is no file at {place}.", fix="correct the path in the recipe")
    for path in sorted(place.glob(pattern)) if place.is_dir() else [place]:
        yield _under(name, place, path), path


def _under(name: str, place: Path, path: Path) -> str:
    """The path from the recipe's folder under which the travelling recipe finds the file."""
    inside = path.relative_to(place)
    return os.path.normpath(PurePosixPath(shortened(name) if name.startswith(HERE) else name) / inside.as_posix())


def _climbs(name: str) -> int:
    return sum(part == ".." for part in PurePosixPath(name).parts)


def _place(folder: Path, name: str, path: Path) -> None:
    target = folder / name
    if target.exists():
        raise HubExpertError(f"{path} would travel as {name}, which is taken.", fix="rename it, or put it elsewhere")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _refuse_secrets(folder: Path) -> None:
    """See that the Hub's token stands nowhere, and that the recipe holds nothing that looks like a key."""
    for each in find_secrets(folder, hub.token()):
        if each.kind == TOKEN or each.file.endswith(RECIPE):
            raise HubExpertError(
                f"{each.file} line {each.line} holds what looks like a secret ({each.kind}), so nothing is sent.",
                fix="take it out of that file; a teacher's key belongs in the variable that `key_env` names",
            )


def unpack(folder: Path) -> Path:
    """The recipe of a parcel that has arrived in `folder`, its files checked.

    Raises:
        HubExpertError: a file is missing or is another.
    """
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8"))
    for name, digest in manifest.files.items():
        if not (folder / name).is_file() or file_digest(folder / name) != digest:
            raise HubExpertError(f"{name} has not arrived as it was sent.", fix="hubexpert run --on hf-jobs")
    if manifest.beside != "." and not hub.is_safe(manifest.beside):
        raise HubExpertError("The list of what was sent is damaged.", fix="hubexpert run --on hf-jobs")
    return folder / manifest.beside / RECIPE
