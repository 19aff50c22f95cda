"""What a job leaves: the lock and the workspace, without caches, with a list of every file."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from hubexpert import hub
from hubexpert.assemble import BUILD, PUBLISH, check_files
from hubexpert.errors import HubExpertError
from hubexpert.lock import DEFAULT_LOCK, Lock, read_lock
from hubexpert.records import Record
from hubexpert.workspace import WORKSPACE, Workspace, file_digest

OUTCOME, WORK = "outcome.json", "workspace"
RESULTS = (".json", ".jsonl")  # how the workspace's results and journals end
FOLDERS = (BUILD, PUBLISH, "reranker")
ENDS = (*RESULTS, ".safetensors", ".lock", ".md", ".png", ".txt", ".model")  # nothing that runs when it is read
OWN = "job.json"  # of the workspace here alone


class Outcome(Record):
    """How a run ended: its exit code, and the SHA-256 of every file it left."""

    code: int
    files: dict[str, str]


def collect(project: Path, target: Path, code: int) -> None:
    """Copy what a run in the folder `project` has left into `target`, with its list."""
    files = {name: _copied(path, target / name) for name, path in _left(project)}
    target.mkdir(parents=True, exist_ok=True)
    (target / OUTCOME).write_text(Outcome(code=code, files=files).model_dump_json(indent=1))


def _copied(path: Path, target: Path) -> str:
    """The SHA-256 of what has been copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    return file_digest(target)


def _left(project: Path) -> Iterator[tuple[str, Path]]:
    root = project / WORKSPACE
    places = [(DEFAULT_LOCK, project / DEFAULT_LOCK)]
    places += [(f"{WORK}/{path.relative_to(root).as_posix()}", path) for path in sorted(root.rglob("*"))]
    return ((name, path) for name, path in places if path.is_file() and is_expected(name))


def is_expected(name: str) -> bool:
    """Whether a file of that name belongs to what a job leaves: the lock, results, journals and what is published."""
    if name == DEFAULT_LOCK:
        return True
    first, _, rest = name.partition("/")
    if first != WORK or not hub.is_safe(name) or not rest.endswith(ENDS):
        return False
    top = rest.partition("/")[0]
    return top in FOLDERS if "/" in rest else rest.endswith(RESULTS) and rest != OWN


def outcome(kept: hub.Kept) -> Outcome:
    """How the run ended that left this.

    Raises:
        HubExpertError: the list is damaged, or names what no run leaves.
    """
    try:
        told = Outcome.model_validate_json(hub.kept_file(kept, OUTCOME).read_bytes())
    except ValidationError as error:
        raise _unusable(kept, "its list is damaged") from error
    if bad := next((name for name in told.files if not is_expected(name) or name not in kept.sizes), None):
        raise _unusable(kept, f"{bad!r} is not what a run leaves")
    return told


def restore(kept: hub.Kept, project: Path) -> None:
    """Put what an earlier job left where a run goes on from it: all of it, or nothing.

    Raises:
        HubExpertError: the list is damaged, or a file is not the one that it describes.
    """
    checked = {name: _checked(kept, name, digest) for name, digest in outcome(kept).files.items()}
    for name, path in checked.items():
        _copied(path, project / name if name == DEFAULT_LOCK else project / WORKSPACE / name.removeprefix(f"{WORK}/"))


def fetch(kept: hub.Kept, told: Outcome, workspace: Workspace, lock_path: Path) -> Lock:
    """Put what a job left into the workspace, and the lock, last of all, beside the recipe.

    Everything is fetched and checked before anything here is replaced.

    Raises:
        HubExpertError: a file is not the one that the list or the lock describes, or the disk has no room.
    """
    size = sum(kept.sizes[name] for name in told.files)
    workspace.root.mkdir(parents=True, exist_ok=True)
    if size > shutil.disk_usage(workspace.root).free:
        raise HubExpertError(f"The disk has no room for the {size:,} bytes of the result.", fix="make room, run again")
    new = workspace.root / ".fetched"
    shutil.rmtree(new, ignore_errors=True)
    try:
        for name, digest in told.files.items():
            _copied(_checked(kept, name, digest), new / name)
        lock = read_lock(new / DEFAULT_LOCK)
        for folder in (BUILD, PUBLISH):
            check_files(lock, new / WORK / folder)
        _move(new / WORK, workspace.root)
        (new / DEFAULT_LOCK).replace(lock_path)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return lock


def _move(new: Path, root: Path) -> None:
    for path in sorted(new.iterdir()):
        target = root / path.name
        if path.is_dir():
            shutil.rmtree(target, ignore_errors=True)
        path.replace(target)


def _checked(kept: hub.Kept, name: str, digest: str) -> Path:
    path = hub.kept_file(kept, name)
    if file_digest(path) != digest:
        raise _unusable(kept, f"{name} is not the file that the job listed")
    return path


def _unusable(kept: hub.Kept, why: str) -> HubExpertError:
    return HubExpertError(
        f"What the job left in {kept.source.repo} cannot be used: {why}.",
        fix="look who else writes there, then `hubexpert run --on hf-jobs --refresh`",
    )
